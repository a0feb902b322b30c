"""What Home Assistant accepts as an MQTT device discovery message, as rules for voluptuous, the library that it checks with itself.

Written from its documentation (https://www.home-assistant.io/integrations/mqtt/, and the pages of the platforms) and from what
homeassistant/components/mqtt says of its schemas. Only the platforms that earshot uses, and device triggers for a published example.

  ha_schema.py FILE...   checks messages of earshot's; and with each of them the rules themselves: the documentation's own examples
                         must pass, spoilt copies must not. Exit code 1 where one is not as it should be.
"""
import copy
import json
import re
import sys

import jinja2
import voluptuous as vol

BINARY_CLASSES = """battery battery_charging carbon_monoxide cold connectivity door garage_door gas heat light lock moisture motion
    moving occupancy opening plug power presence problem running safety smoke sound tamper update vibration window""".split()
# of the sensor's classes those with units that matter here; None: any unit
SENSOR_UNITS = {"sound_pressure": {"dB", "dBA"}, "duration": {"d", "h", "min", "s", "ms", "µs"}, "humidity": {"%"},
                "temperature": {"°C", "°F", "K"}, "enum": set(), "timestamp": set()}
NUMBER_CLASSES = set(SENSOR_UNITS) - {"enum", "timestamp"}
PLATFORMS = "binary_sensor button event number select sensor switch device_automation".split()

SHORT = {"dev": "device", "o": "origin", "cmps": "components", "avty": "availability", "avty_t": "availability_topic",
         "p": "platform", "stat_t": "state_topic", "cmd_t": "command_topic", "uniq_id": "unique_id", "val_tpl": "value_template",
         "dev_cla": "device_class", "unit_of_meas": "unit_of_measurement", "t": "topic", "e": "encoding"}
SHORT_DEVICE = {"ids": "identifiers", "cns": "connections", "mf": "manufacturer", "mdl": "model", "sw": "sw_version",
                "hw": "hw_version", "sn": "serial_number", "sa": "suggested_area", "cu": "configuration_url"}
SHORT_ORIGIN = {"sw": "sw_version", "url": "support_url"}
SHARED = """availability availability_mode availability_template availability_topic command_topic encoding payload_available
    payload_not_available state_topic qos""".split()


def string(value):
    if value is None or isinstance(value, (list, dict)):
        raise vol.Invalid("no text")
    return str(value)


def topic(wildcards):
    def check(value):
        value = string(value)
        if not 0 < len(value.encode()) < 65536 or "\0" in value:
            raise vol.Invalid("no topic")
        levels = value.split("/")
        if not wildcards and ("+" in value or "#" in value):
            raise vol.Invalid("a wildcard in a topic to publish to")
        if any(len(level) > 1 and set(level) & {"+", "#"} for level in levels) or "#" in levels[:-1]:
            raise vol.Invalid("a wildcard in the wrong place")
        return value
    return check


def environment():
    """Home Assistant's templates: Jinja, sandboxed, with filters of its own; here those that earshot's templates use."""
    from jinja2.sandbox import ImmutableSandboxedEnvironment
    env = ImmutableSandboxedEnvironment(undefined=jinja2.Undefined)
    env.filters["to_json"] = lambda value: json.dumps(value)
    return env


def template(value):
    try:
        environment().parse(string(value))
    except jinja2.TemplateSyntaxError as error:
        raise vol.Invalid("template: %s" % error)
    return value


def boolean(value):
    if isinstance(value, bool):
        return value
    if str(value).lower() in ("1", "true", "yes", "on", "enable", "0", "false", "no", "off", "disable"):
        return str(value).lower() in ("1", "true", "yes", "on", "enable")
    raise vol.Invalid("neither true nor false")


def icon(value):
    if not re.fullmatch(r"[a-z0-9_-]+:[a-z0-9_-]+", string(value)):
        raise vol.Invalid("an icon is prefix:name")
    return value


def url(value):
    if not re.match(r"(https?|homeassistant)://\S+$", string(value)):
        raise vol.Invalid("no URL")
    return value


def as_list(value):
    return value if isinstance(value, list) else [value]


text_or_none = vol.Any(None, string)
qos = vol.All(vol.Coerce(int), vol.In([0, 1, 2]))
AVAILABILITY = {
    vol.Exclusive("availability_topic", "availability"): topic(True),
    vol.Optional("availability_template"): template,
    vol.Optional("payload_available"): string,
    vol.Optional("payload_not_available"): string,
    vol.Optional("availability_mode"): vol.In(["all", "any", "latest"]),
    vol.Exclusive("availability", "availability"): vol.All(as_list, [{
        vol.Required("topic"): topic(True), vol.Optional("payload_available"): string,
        vol.Optional("payload_not_available"): string, vol.Optional("value_template"): template}]),
}


def has_identity(device):
    if not device.get("identifiers") and not device.get("connections"):
        raise vol.Invalid("neither identifiers nor connections")
    return device


DEVICE = vol.All(vol.Schema({
    vol.Optional("identifiers"): vol.All(as_list, [string]),
    vol.Optional("connections"): vol.All(as_list, [vol.All(vol.Length(2, 2), [string])]),
    **{vol.Optional(key): string for key in ("manufacturer", "model", "model_id", "name", "hw_version", "serial_number",
                                             "sw_version", "via_device", "suggested_area")},
    vol.Optional("configuration_url"): url}), has_identity)
ORIGIN = vol.Schema({vol.Required("name"): string, vol.Optional("sw_version"): string, vol.Optional("support_url"): url})

COMMON = {**AVAILABILITY, vol.Required("device"): DEVICE, vol.Required("origin"): ORIGIN, vol.Required("unique_id"): string,
          vol.Optional("name"): text_or_none, vol.Optional("enabled_by_default"): boolean,
          vol.Optional("entity_category"): vol.In(["config", "diagnostic"]), vol.Optional("icon"): icon,
          vol.Optional("entity_picture"): url, vol.Optional("json_attributes_topic"): topic(True),
          vol.Optional("json_attributes_template"): template, vol.Optional("default_entity_id"): string,
          vol.Optional("qos"): qos, vol.Optional("encoding"): string}
READ = {**COMMON, vol.Required("state_topic"): topic(True), vol.Optional("value_template"): template}
WRITE = {**COMMON, vol.Required("command_topic"): topic(False), vol.Optional("state_topic"): topic(True),
         vol.Optional("value_template"): template, vol.Optional("command_template"): template,
         vol.Optional("optimistic"): boolean, vol.Optional("retain"): boolean}
seconds = vol.All(vol.Coerce(int), vol.Range(min=0))


def sensor_rules(c):
    options, unit, device_class = c.get("options"), c.get("unit_of_measurement"), c.get("device_class")
    if options is not None and (not options or c.get("state_class") or unit or device_class != "enum"):
        raise vol.Invalid("options go with device class enum, and neither unit nor state class")
    if unit is not None and device_class in SENSOR_UNITS and unit not in SENSOR_UNITS[device_class]:
        raise vol.Invalid("unit %s is none of device class %s" % (unit, device_class))
    if c.get("entity_category") == "config":
        raise vol.Invalid("a sensor cannot be configuration")
    return c


def number_rules(c):
    if c.get("min", 1) >= c.get("max", 100):
        raise vol.Invalid("max must be > min")
    return c


def binary_rules(c):
    if c.get("entity_category") == "config":
        raise vol.Invalid("a sensor cannot be configuration")
    return c


RULES = {
    "binary_sensor": (READ, {"device_class": vol.In(BINARY_CLASSES), "expire_after": seconds, "off_delay": seconds,
                             "force_update": boolean, "payload_on": string, "payload_off": string}, {}, binary_rules),
    "sensor": (READ, {"device_class": vol.Any(None, vol.In(list(SENSOR_UNITS))), "expire_after": seconds, "force_update": boolean,
                      "options": as_list, "suggested_display_precision": seconds, "unit_of_measurement": text_or_none,
                      "state_class": vol.In(["measurement", "measurement_angle", "total", "total_increasing"])},
               {}, sensor_rules),
    "event": (READ, {"device_class": vol.In(["button", "doorbell", "motion"])}, {"event_types": vol.All(as_list, [string])}, None),
    "number": (WRITE, {"device_class": vol.In(list(NUMBER_CLASSES)), "min": vol.Coerce(float), "max": vol.Coerce(float),
                       "step": vol.All(vol.Coerce(float), vol.Range(min=1e-3)), "mode": vol.In(["auto", "box", "slider"]),
                       "payload_reset": string, "unit_of_measurement": text_or_none}, {}, number_rules),
    "select": (WRITE, {}, {"options": vol.All([string])}, None),
    "switch": (WRITE, {"device_class": vol.In(["outlet", "switch"]), "payload_on": string, "payload_off": string,
                       "state_on": string, "state_off": string}, {}, None),
    "button": (COMMON, {"device_class": vol.In(["identify", "restart", "update"]), "payload_press": string,
                        "command_template": template, "retain": boolean}, {"command_topic": topic(False)}, None),
    "device_automation": ({**AVAILABILITY, vol.Required("device"): DEVICE, vol.Required("origin"): ORIGIN, vol.Optional("qos"): qos},
                          {"payload": string, "value_template": template},
                          {"automation_type": vol.In(["trigger"]), "topic": topic(True), "type": string, "subtype": string}, None),
}


def platform_schema(platform, strict):
    base, optional, required, rule = RULES[platform]
    schema = {**base, **{vol.Optional(k): v for k, v in optional.items()}, **{vol.Required(k): v for k, v in required.items()}}
    one = vol.Schema(schema, extra=vol.PREVENT_EXTRA if strict else vol.REMOVE_EXTRA)
    return vol.All(one, rule) if rule else one


def component(value):
    vol.Schema({vol.Required("platform"): vol.In(PLATFORMS)}, extra=vol.ALLOW_EXTRA)(value)
    if value["platform"] != "device_automation" and len(value) > 1 and "unique_id" not in value:
        raise vol.Invalid("an entity without unique_id")
    return value


MESSAGE = vol.Schema({**AVAILABILITY, vol.Required("device"): DEVICE, vol.Required("origin"): ORIGIN,
                      vol.Required("components"): vol.Schema({str: component}), vol.Optional("state_topic"): topic(True),
                      vol.Optional("command_topic"): topic(False), vol.Optional("qos"): qos, vol.Optional("encoding"): string})


def lengthen(value, names):
    return {names.get(k, k): v for k, v in value.items()} if isinstance(value, dict) else value


def check(message, strict=False):
    """The components as Home Assistant sees them, by key; raises vol.Invalid. strict: unknown options are refused as well, which
    Home Assistant would leave out in silence."""
    message = lengthen(copy.deepcopy(message), SHORT)
    message["device"] = lengthen(message.get("device"), SHORT_DEVICE)
    message["origin"] = lengthen(message.get("origin"), SHORT_ORIGIN)
    message = {k: v for k, v in message.items() if v is not None}
    if isinstance(message.get("components"), dict):
        message["components"] = {k: lengthen(v, SHORT) for k, v in message["components"].items()}
    MESSAGE(message)
    seen, result = set(), {}
    for key, c in message["components"].items():
        platform = c.pop("platform")
        if not c:  # takes the component away
            result[key] = None
            continue
        c.update({k: message[k] for k in SHARED if k in message and k not in c and
                  (k != "command_topic" or platform in ("number", "select", "switch", "button")) and
                  (k not in ("state_topic", "encoding") or platform not in ("button", "device_automation"))})
        c.update(device=message["device"], origin=message["origin"])
        try:
            platform_schema(platform, strict)(c)
        except vol.Invalid as error:
            raise vol.Invalid("%s: %s" % (key, error))
        if c.get("unique_id") in seen:
            raise vol.Invalid("%s: unique_id %s is there twice" % (key, c["unique_id"]))
        seen.add(c.get("unique_id") or key)
        result[key] = dict(c, platform=platform)
    return result


# --- controls: the examples of Home Assistant's documentation (https://www.home-assistant.io/integrations/mqtt/, "Device discovery payload")
KITCHEN = {"dev": {"ids": "ea334450945afc", "name": "Kitchen", "mf": "Bla electronics", "mdl": "xya", "sw": "1.0",
                   "sn": "ea334450945afc", "hw": "1.0rev2"},
           "o": {"name": "bla2mqtt", "sw": "2.1", "url": "https://bla2mqtt.example.com/support"},
           "cmps": {"some_unique_component_id1": {"p": "sensor", "device_class": "temperature", "unit_of_measurement": "°C",
                                                  "value_template": "{{ value_json.temperature}}", "unique_id": "temp01ae_t"},
                    "some_unique_id2": {"p": "sensor", "device_class": "humidity", "unit_of_measurement": "%",
                                        "value_template": "{{ value_json.humidity}}", "unique_id": "temp01ae_h"}},
           "state_topic": "sensorBedroom/state", "qos": 2}
REMOVAL = dict(KITCHEN, cmps={"some_unique_component_id1": KITCHEN["cmps"]["some_unique_component_id1"],
                              "some_unique_id2": {"p": "sensor"}})
TRIGGER = {"device": {"identifiers": ["0AFFD2"]}, "o": {"name": "foobar"},
           "cmps": {"bla1": {"p": "device_automation", "automation_type": "trigger", "payload": "short_press",
                             "topic": "foobar/triggers/button1", "type": "button_short_press", "subtype": "button_1"},
                    "bla2": {"p": "sensor", "state_topic": "foobar/sensor/sensor1", "unique_id": "bla_sensor001"}}}
DROP = object()


def mutations(message):
    """(what, message): each breaks one rule. message: earshot's own, long names."""
    def changed(value, *path):
        m = copy.deepcopy(message)
        at = m
        for key in path[:-1]:
            at = at[key]
        if value is DROP:
            del at[path[-1]]
        else:
            at[path[-1]] = value
        return "/".join(map(str, path)) + (" left out" if value is DROP else " = %r" % (value,)), m
    c = "components"
    return [changed(*row) for row in [
        (DROP, "device"), (DROP, "origin"), (DROP, "components"), (DROP, "origin", "name"), (DROP, "device", "identifiers"),
        ([], "device", "identifiers"), ("x", "device", "colour"), ("x", "colour"), ([], "components"), (3, "qos"),
        ("earshot/d/status", "availability_topic"), ("a/#/b", "availability", 0, "topic"), ("sometimes", "availability_mode"),
        (DROP, c, "event", "platform"), ("sensr", c, "event", "platform"), (DROP, c, "event", "unique_id"),
        (DROP, c, "event", "event_types"), (DROP, c, "event", "state_topic"), ("a/+b", c, "event", "state_topic"),
        ("", c, "event", "state_topic"), ("{{ value_json.", c, "event", "value_template"), ("siren", c, "event", "device_class"),
        ("noise", c, "sound_smoke_alarm", "device_class"), ("ear", c, "sound_smoke_alarm", "icon"),
        ("maybe", c, "sound_smoke_alarm", "enabled_by_default"), ("config", c, "sound_smoke_alarm", "entity_category"),
        ("sound_pressure", c, "score", "device_class"), ("often", c, "score", "state_class"), (["a"], c, "score", "options"),
        (-1, c, "score", "suggested_display_precision"), ("config", c, "score", "entity_category"),
        (100, c, "threshold", "min"), (0, c, "threshold", "step"), ("wheel", c, "threshold", "mode"),
        ("a/+/b", c, "threshold", "command_topic"), (DROP, c, "threshold", "command_topic"), (DROP, c, "model", "options"),
        (None, c, "model", "options"), (DROP, c, "listening", "command_topic"), (DROP, c, "test", "command_topic"),
        (None, c, "test", "payload_press"), ("volume", c, "listening", "device_class"),
        (message[c]["event"]["unique_id"], c, "score", "unique_id"),
    ]]


def self_check(own):
    for name, example in (("sensors", KITCHEN), ("removal", REMOVAL), ("trigger", TRIGGER)):
        check(example)
        print("ok      Home Assistant's own example is accepted:", name)
    passed = []
    for what, message in mutations(own):
        try:
            check(message)
            passed.append(what)
        except vol.Invalid:
            pass
    print("%s  %d spoilt messages are refused%s" % ("NOT OK" if passed else "ok    ", len(mutations(own)),
                                                    "; not: " + ", ".join(passed) if passed else ""))
    return not passed


def main():
    good = True
    for path in sys.argv[1:]:
        with open(path) as f:
            message = json.load(f)
        try:
            components = check(message, strict=True)
            print("ok      %s: %d components" % (path, len(components)))
            good &= self_check(message)
        except vol.Invalid as error:
            print("NOT OK  %s: %s" % (path, error))
            good = False
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
