/* What Home Assistant is told, as far as it needs no broker: identity, size, what is taken away. (tests/system/homeassistant.sh checks the
 * message by Home Assistant's own rules.) */
#include "daemon/outputs/discovery.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct output_label labels[1000];

static struct discovery_facts facts(struct mqtt_names *names, const char *base, const char *node, size_t n)
{
    static char id[DISCOVERY_ID];
    struct err err;

    assert_int_equal(mqtt_names_init(names, base, node, &err), 0);
    discovery_id(id, "/var/lib/earshot");
    for (size_t i = 0; i < n; i++) {
        snprintf(labels[i].label, sizeof labels[i].label, "a_sound_with_quite_a_long_name_%u", (unsigned)i & 0xffff);
        snprintf(labels[i].name, sizeof labels[i].name, "A sound \"with\" a k\xc3\xbchl name %u", (unsigned)i & 0xffff);
        labels[i].alarm = i % 100 == 0;
        labels[i].enabled = true;
    }
    return (struct discovery_facts){.names = names,
                                    .id = id,
                                    .version = "1",
                                    .model = "some/path.onnx",
                                    .labels = labels,
                                    .n_labels = n,
                                    .levels = true};
}

static const json_t *component(const json_t *config, const char *key)
{
    return json_object_get(json_object_get(config, "components"), key);
}

static const char *text(const json_t *config, const char *key, const char *what)
{
    const char *s = json_string_value(json_object_get(component(config, key), what));
    return s ? s : "";
}

static void test_identity(void **state)
{
    (void)state;
    char a[DISCOVERY_ID], b[DISCOVERY_ID], c[DISCOVERY_ID];
    struct mqtt_names names;

    discovery_id(a, "/var/lib/earshot");
    discovery_id(b, "/var/lib/earshot");
    discovery_id(c, "/var/lib/earshot/kitchen");
    assert_string_equal(a, b);
    assert_string_not_equal(a, c);
    assert_int_equal(strspn(a, "0123456789abcdef"), DISCOVERY_ID - 1);

    struct discovery_facts f = facts(&names, "earshot", "one", 3);
    json_t *one = discovery_config(&f);
    f = facts(&names, "home/ears", "two", 3);
    json_t *two = discovery_config(&f);
    assert_string_equal(text(one, "event", "unique_id"), text(two, "event", "unique_id"));
    assert_string_equal(text(one, "event", "state_topic"), "earshot/one/event");
    assert_string_equal(text(two, "event", "state_topic"), "home/ears/two/event");
    assert_string_equal(text(two, "threshold", "command_topic"), "home/ears/two/set/threshold");
    json_decref(one);
    json_decref(two);
}

static void test_levels(void **state)
{
    (void)state;
    struct mqtt_names names;
    struct discovery_facts f = facts(&names, "e", "n", 1);

    json_t *o = discovery_config(&f);
    assert_string_equal(text(o, "laeq", "unit_of_measurement"), "dBFS");
    assert_null(json_object_get(component(o, "laeq"), "device_class"));
    json_decref(o);
    f.calibrated = true;
    o = discovery_config(&f);
    assert_string_equal(text(o, "laeq", "unit_of_measurement"), "dBA");
    assert_string_equal(text(o, "peak", "unit_of_measurement"), "dB");
    assert_string_equal(text(o, "laeq", "device_class"), "sound_pressure");
    json_decref(o);
    f.levels = false;
    o = discovery_config(&f);
    assert_null(component(o, "laeq"));
    json_decref(o);
}

static void test_sounds(void **state)
{
    (void)state;
    struct mqtt_names names;
    struct discovery_facts f = facts(&names, "e", "n", 3);

    labels[1].enabled = false;
    json_t *o = discovery_config(&f);
    assert_null(json_object_get(component(o, "sound_a_sound_with_quite_a_long_name_0"), "enabled_by_default"));
    assert_null(component(o, "sound_a_sound_with_quite_a_long_name_1"));
    assert_true(
        json_is_false(json_object_get(component(o, "sound_a_sound_with_quite_a_long_name_2"), "enabled_by_default")));
    assert_int_equal(json_array_size(json_object_get(component(o, "event"), "event_types")), 2);
    json_decref(o);
    f.n_labels = 0; /* a model whose sounds are all ignored */
    o = discovery_config(&f);
    assert_non_null(component(o, "listening"));
    assert_null(component(o, "test"));
    json_decref(o);
}

static void test_size(void **state)
{
    (void)state;
    char base[200];
    struct mqtt_names names;

    memset(base, 'b', sizeof base - 1);
    base[sizeof base - 1] = '\0';
    struct discovery_facts f = facts(&names, "earshot", "kitchen", 521);
    json_t *o = discovery_config(&f);
    assert_non_null(component(o, "sound_a_sound_with_quite_a_long_name_520")); /* as many as AudioSet has fit */
    size_t size = json_dumpb(o, NULL, 0, JSON_COMPACT);
    assert_in_range(size, 1, DISCOVERY_MOST);
    json_decref(o);
    f = facts(&names, base, "kitchen", 1000);
    o = discovery_config(&f);
    assert_in_range(json_dumpb(o, NULL, 0, JSON_COMPACT), 1, DISCOVERY_MOST);
    assert_non_null(component(o, "sound_a_sound_with_quite_a_long_name_900")); /* an alarm */
    assert_null(component(o, "sound_a_sound_with_quite_a_long_name_901"));
    json_decref(o);
}

static void test_removal(void **state)
{
    (void)state;
    struct mqtt_names names;
    struct discovery_facts f = facts(&names, "e", "n", 3);
    json_t *old = discovery_config(&f);

    labels[2].enabled = false;
    json_t *fresh = discovery_config(&f), *removal = discovery_removal(old, fresh);
    const json_t *gone = component(removal, "sound_a_sound_with_quite_a_long_name_2");
    assert_int_equal(json_object_size(gone), 1);
    assert_string_equal(json_string_value(json_object_get(gone, "platform")), "binary_sensor");
    assert_true(json_equal((json_t *)component(removal, "event"), (json_t *)component(fresh, "event")));
    assert_null(discovery_removal(fresh, old)); /* more than before: nothing to take away */
    assert_null(discovery_removal(fresh, fresh));

    /* what lies at the broker may be anything */
    static const char *const any[] = {"[]",
                                      "1",
                                      "{}",
                                      "{\"components\": []}",
                                      "{\"components\": {\"x\": 1}}",
                                      "{\"components\": {\"x\": {\"platform\": 2}}}"};
    for (size_t i = 0; i < sizeof any / sizeof *any; i++) {
        json_t *o = json_loads(any[i], JSON_DECODE_ANY, NULL);
        assert_non_null(o);
        assert_null(discovery_removal(o, fresh));
        json_decref(o);
    }
    assert_null(discovery_removal(NULL, fresh));
    json_decref(removal);
    json_decref(fresh);
    json_decref(old);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identity), cmocka_unit_test(test_levels),  cmocka_unit_test(test_sounds),
        cmocka_unit_test(test_size),     cmocka_unit_test(test_removal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
