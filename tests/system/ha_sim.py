"""What Home Assistant would make of messages: entities from a discovery message, their states from what mosquitto_sub recorded.

  ha_sim.py play CONFIG RECORD        RECORD: lines "RETAINED TOPIC PAYLOAD"; prints {"state", "history", "events"} by component
  ha_sim.py command CONFIG KEY VALUE  prints "TOPIC<TAB>PAYLOAD" of what setting that entity would publish
  ha_sim.py entities CONFIG           prints the entity ids
  ha_sim.py examples CONFIG DIR...    do the YAML and JSON files there refer to entities and topics that exist?
"""
import json
import os
import re
import sys

import ha_schema


def render(template, value, state="unknown"):
    variables = {"value": value, "this": {"state": state}}
    try:
        variables["value_json"] = json.loads(value)
    except (ValueError, TypeError):
        pass
    return ha_schema.environment().from_string(template).render(**variables)


def read(path):
    """The last configuration of a file that has one a line."""
    with open(path) as f:
        return ha_schema.check(json.loads([line for line in f if line.strip()][-1]), strict=True)


def slug(text):
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


def entity_id(c):
    return "%s.%s" % (c["platform"], slug(c["device"]["name"] + " " + c["name"]))


def take(c, payload, retained, state, events):
    """The entity's new state, by the rules of its platform."""
    text = render(c["value_template"], payload, state) if "value_template" in c else payload
    platform = c["platform"]
    if platform == "event":
        if retained or text in ("", "None", "{}"):
            return state
        attributes = json.loads(text)
        kind = attributes.pop("event_type")
        assert kind in c["event_types"], (kind, "not among the event types")
        events.append(kind)
        return kind
    if platform == "binary_sensor":
        return {"ON": "on", "OFF": "off", "None": "unknown"}.get(text, state)  # others are not for this entity
    if platform == "sensor" and ("state_class" in c or "unit_of_measurement" in c):
        return state if text == "" else "unknown" if text == "None" else str(float(text))
    if platform == "number":
        value = None if text == "None" else float(text)
        assert value is None or c["min"] <= value <= c["max"], (value, "out of range")
        return "unknown" if value is None else str(value)
    if platform == "select":
        assert text in c["options"], (text, "no option")
    if platform == "switch":
        return {"ON": "on", "OFF": "off"}.get(text, state)
    return "unknown" if text == "None" else text


def play(components, record):
    state = {key: "unknown" for key, c in components.items() if c}
    history, events = {key: [] for key in state}, {key: [] for key in state}
    with open(record, "rb") as f:
        for line in f.read().decode("utf-8", "replace").splitlines():
            retained, topic, payload = (line.split(" ", 2) + ["", ""])[:3]
            for key in state:
                c = components[key]
                if c.get("state_topic") == topic and payload:
                    new = take(c, payload, retained == "1", state[key], events[key])
                    if new != state[key]:
                        history[key].append(new)
                    state[key] = new
    return {"state": state, "history": history, "events": events}


def command(c, value):
    value = float(value) if c["platform"] == "number" else value
    if isinstance(value, float) and value == int(value):
        value = int(value)
    payload = ha_schema.environment().from_string(c["command_template"]).render(value=value) if "command_template" in c else value
    return "%s\t%s" % (c["command_topic"], payload)


def topics(components):
    known = set()
    for c in components.values():
        known |= {c[k] for k in ("state_topic", "command_topic") if k in c} | {a["topic"] for a in c["availability"]}
    return known


def matches(pattern, topic):
    return re.fullmatch("/".join("[^/]+" if level == "+" else re.escape(level) for level in pattern.split("/")), topic)


def check_example(path, components):
    with open(path) as f:
        text = f.read()
    if path.endswith(".json"):
        nodes = json.loads(text)
        ids = {n["id"] for n in nodes}
        for n in nodes:
            wires = {w for out in n.get("wires", []) for w in out} | {n[k] for k in ("z", "broker") if k in n and n["type"] != "mqtt-broker"}
            assert wires <= ids, (path, n["id"], "wired to nothing", wires - ids)
            if n["type"] == "mqtt in":
                assert any(matches(n["topic"], t) for t in topics(components)), (path, n["topic"], "no such topic")
        used = re.findall(r"earshot/\$\{msg\.node\}/(\S+?)`", text)
        for name in used:
            assert any(t.endswith("/" + name) for t in topics(components)), (path, name, "no such topic")
        return len(nodes)
    import yaml
    yaml.safe_load(text)
    for template in re.findall(r"\{\{.*?\}\}", text, re.S):
        ha_schema.template(template)
    kinds = "|".join(("binary_sensor", "sensor", "event", "switch", "number", "select", "button"))
    used = set(re.findall(r"\b(?:%s)\.earshot_[a-z0-9_]+" % kinds, text))
    missing = used - {entity_id(c) for c in components.values()}
    assert used and not missing, (path, "no such entities", missing)
    for label in re.findall(r"'([a-z_]+)'", "".join(re.findall(r"event_type in \[.*?\]", text))):
        assert label in components["event"]["event_types"], (path, label, "no such sound")
    return len(used)


def examples(components, folders):
    for folder in folders:
        for name in sorted(os.listdir(folder)):
            if name.endswith((".yaml", ".json")):
                print("%s: %d" % (name, check_example(os.path.join(folder, name), components)))


def main():
    verb, components = sys.argv[1], read(sys.argv[2])
    if verb == "play":
        print(json.dumps(play(components, sys.argv[3])))
    elif verb == "command":
        print(command(components[sys.argv[3]], sys.argv[4]))
    elif verb == "entities":
        print("\n".join(sorted(entity_id(c) for c in components.values() if c)))
    else:
        examples(components, sys.argv[3:])


if __name__ == "__main__":
    main()
