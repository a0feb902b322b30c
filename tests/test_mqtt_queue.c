#include "daemon/outputs/mqtt_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const labels[] = {"dog_bark", "siren", "rain"};
static const char *const model[] = {"dog_bark", "background", "siren", "rain",
                                    "unknown"}; /* what has no state among them */
enum { DOG, SIREN, RAIN };

static void put(struct mqtt_queue *q, enum event_type type, const char *label, const char *id, bool notify, bool test)
{
    struct event e = {.type = type, .notify = notify, .test = test};
    snprintf(e.label, sizeof e.label, "%s", label);
    snprintf(e.id, sizeof e.id, "%s", id);
    mqtt_queue_put(q, &e, 0);
}

static struct mqtt_queue *online(size_t capacity)
{
    struct mqtt_queue *q = mqtt_queue_new(capacity, model, 5);
    size_t label, n = 0;
    enum mqtt_state on;

    assert_non_null(q);
    mqtt_queue_online(q);
    while (mqtt_queue_next_state(q, &label, &on)) {
        assert_int_equal(label, n++);
        assert_int_equal(on, MQTT_OFF);
    }
    assert_int_equal(n, 3);
    assert_true(mqtt_queue_has_label(q, "rain"));
    assert_false(mqtt_queue_has_label(q, "background"));
    return q;
}

static struct mqtt_figures figures(struct mqtt_queue *q)
{
    struct mqtt_figures f;
    mqtt_queue_figures(q, &f);
    return f;
}

static size_t expect(struct mqtt_queue *q, const char *id, int state, bool message)
{
    struct mqtt_item item;

    assert_true(mqtt_queue_next(q, &item));
    assert_string_equal(item.event.id, id);
    assert_int_equal(item.state, state);
    assert_int_equal(item.message, message);
    return item.slot;
}

static void test_order_and_acknowledgement(void **state)
{
    (void)state;
    struct mqtt_queue *q = online(0);
    struct mqtt_item item;

    assert_false(mqtt_queue_next(q, &item));
    put(q, EVENT_START, "dog_bark", "1", true, false);
    put(q, EVENT_UPDATE, "dog_bark", "2", true, false);
    put(q, EVENT_END, "dog_bark", "3", true, false);
    size_t a = expect(q, "1", 1, true), b = expect(q, "2", -1, true), c = expect(q, "3", 0, true);
    assert_false(mqtt_queue_next(q, &item));
    assert_int_equal(figures(q).queued, 3);
    mqtt_queue_done(q, b); /* in any order */

    /* the connection breaks: what has no acknowledgement comes again, in order, and says nothing of the state */
    mqtt_queue_offline(q);
    mqtt_queue_online(q);
    size_t label;
    enum mqtt_state on;
    while (mqtt_queue_next_state(q, &label, &on))
        assert_int_equal(on, MQTT_OFF);
    assert_int_equal(expect(q, "1", -1, true), a);
    assert_int_equal(expect(q, "3", -1, true), c);
    mqtt_queue_done(q, a);
    mqtt_queue_done(q, c);
    assert_int_equal(figures(q).queued, 0);
    mqtt_queue_free(q);
    mqtt_queue_free(NULL);
}

/* Yesterday's alarm does not ring today; the one that still rings does. */
static void test_states_are_the_present(void **state)
{
    (void)state;
    struct mqtt_queue *q = mqtt_queue_new(0, labels, 3);
    size_t label;
    enum mqtt_state on, seen[3];

    put(q, EVENT_START, "dog_bark", "1", true, false);
    put(q, EVENT_END, "dog_bark", "2", true, false);
    put(q, EVENT_START, "siren", "3", true, false);
    put(q, EVENT_START, "unknown", "4", true, false); /* no label of the model: no state */
    mqtt_queue_online(q);
    for (int i = 0; i < 3; i++) {
        assert_true(mqtt_queue_next_state(q, &label, &on));
        seen[label] = on;
    }
    assert_false(mqtt_queue_next_state(q, &label, &on));
    assert_false(seen[DOG]);
    assert_true(seen[SIREN]);
    assert_false(seen[RAIN]);
    put(q, EVENT_END, "siren", "5", true, false); /* after the state was told: it is news */
    expect(q, "1", -1, true);
    expect(q, "2", -1, true);
    expect(q, "3", -1, true);
    expect(q, "4", -1, true);
    expect(q, "5", 0, true);
    mqtt_queue_free(q);
}

static void test_held_back_events_move_the_state(void **state)
{
    (void)state;
    struct mqtt_queue *q = online(0);
    struct mqtt_item item;

    put(q, EVENT_START, "rain", "1", false, false);
    put(q, EVENT_UPDATE, "rain", "2", false, false); /* neither message nor change */
    put(q, EVENT_END, "rain", "3", false, false);
    expect(q, "1", 1, false);
    expect(q, "3", 0, false);
    assert_false(mqtt_queue_next(q, &item));
    assert_int_equal(figures(q).queued, 0); /* a state needs no acknowledgement of ours */

    put(q, EVENT_START, "rain", "4", false, false);
    mqtt_queue_offline(q); /* not sent yet: the next connection tells it from the present */
    put(q, EVENT_START, "siren", "5", false, false);
    assert_int_equal(figures(q).queued, 0);
    mqtt_queue_free(q);
}

static void test_the_end_of_a_test_leaves_a_sound_on(void **state)
{
    (void)state;
    static const struct {
        enum event_type type;
        bool test;
        int state;
    } rows[] = {{EVENT_START, false, MQTT_ON}, {EVENT_START, true, -1},        {EVENT_END, true, -1},
                {EVENT_END, false, MQTT_OFF},  {EVENT_START, true, MQTT_TEST}, {EVENT_START, false, MQTT_ON},
                {EVENT_END, false, MQTT_TEST}, {EVENT_END, true, MQTT_OFF}};
    struct mqtt_queue *q = online(0);

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        put(q, rows[i].type, "siren", "x", true, rows[i].test);
        mqtt_queue_done(q, expect(q, "x", rows[i].state, true));
    }
    mqtt_queue_free(q);
}

static void test_updates_go_first(void **state)
{
    (void)state;
    struct mqtt_queue *q = mqtt_queue_new(0, labels, 3);
    char id[16];

    /* start, then updates up to the brim, then starts and ends of another class push them out */
    put(q, EVENT_START, "dog_bark", "first", true, false);
    for (int i = 1; i < MQTT_QUEUE_MIN; i++) {
        snprintf(id, sizeof id, "u%d", i);
        put(q, EVENT_UPDATE, "dog_bark", id, true, false);
    }
    for (int i = 0; i < MQTT_QUEUE_MIN - 1; i++) {
        snprintf(id, sizeof id, "e%d", i);
        put(q, i % 2 ? EVENT_END : EVENT_START, "siren", id, true, false);
    }
    assert_int_equal(figures(q).dropped_updates, MQTT_QUEUE_MIN - 1);
    assert_int_equal(figures(q).dropped_events, 0);
    assert_int_equal(figures(q).queued, MQTT_QUEUE_MIN);

    /* no update is left: the oldest start goes, and is counted */
    put(q, EVENT_END, "siren", "last", true, false);
    assert_int_equal(figures(q).dropped_events, 1);
    mqtt_queue_online(q);
    expect(q, "e0", 1, true);
    mqtt_queue_free(q);
}

/* A start or end that is dropped while connected (a frozen broker): its state is told all the same. What is with the broker stays. */
static void test_drop_while_connected(void **state)
{
    (void)state;
    struct mqtt_queue *q = online(0);
    size_t label, with_broker[MQTT_INFLIGHT];
    enum mqtt_state on;

    for (int i = 0; i < MQTT_INFLIGHT; i++) {
        put(q, i % 2 ? EVENT_END : EVENT_START, "siren", "s", true, false);
        with_broker[i] = expect(q, "s", i % 2 ? 0 : 1, true);
    }
    put(q, EVENT_START, "rain", "lost", true, false);
    for (int i = MQTT_INFLIGHT + 1; i < MQTT_QUEUE_MIN; i++)
        put(q, i % 2 ? EVENT_START : EVENT_END, "dog_bark", "d", true, false);
    assert_false(mqtt_queue_next_state(q, &label, &on));
    put(q, EVENT_END, "siren", "new", true, false);
    assert_int_equal(figures(q).dropped_events, 1);
    assert_true(mqtt_queue_next_state(q, &label, &on));
    assert_int_equal(label, RAIN);
    assert_true(on);
    for (int i = 0; i < MQTT_INFLIGHT; i++)
        mqtt_queue_done(q, with_broker[i]);
    assert_int_equal(figures(q).queued, MQTT_QUEUE_MIN - MQTT_INFLIGHT);
    mqtt_queue_free(q);
}

/* Random use against a plain model: what comes out is what went in, in order, minus what was counted as dropped. */
static void test_random(void **state)
{
    (void)state;
    unsigned seed = getenv("SEED") ? (unsigned)atoi(getenv("SEED")) : 20261121u;
    print_message("seed %u\n", seed);
    struct mqtt_queue *q = online(64);
    unsigned long in = 0, out = 0, last = 0;
    size_t taken[MQTT_INFLIGHT], n_taken = 0;
    char id[24];

    for (int step = 0; step < 200000; step++) {
        unsigned r = (unsigned)rand_r(&seed);
        struct mqtt_item item;
        if (r % 16 < 9) {
            snprintf(id, sizeof id, "%lu", ++in);
            put(q, (enum event_type)(r / 16 % 3), labels[r / 64 % 3], id, true, r / 256 % 5 == 0);
        } else if (r % 16 < 12 && n_taken < MQTT_INFLIGHT) {
            if (mqtt_queue_next(q, &item)) {
                unsigned long number = strtoul(item.event.id, NULL, 10);
                assert_true(number > last);
                last = number;
                taken[n_taken++] = item.slot;
            }
        } else if (r % 16 < 15 && n_taken) {
            size_t i = r / 16 % n_taken;
            mqtt_queue_done(q, taken[i]);
            taken[i] = taken[--n_taken];
            out++;
        } else if (r / 16 % 50 == 0) {
            mqtt_queue_offline(q);
            mqtt_queue_online(q);
            n_taken = 0;
            last = 0;
        }
        struct mqtt_figures f = figures(q);
        assert_true(f.queued <= 64);
        assert_int_equal(in, out + f.queued + f.dropped_events + f.dropped_updates);
    }
    mqtt_queue_free(q);
}

/* A model with other sounds: the states of those that are gone are cleared, their waiting events say nothing of them any more. */
static void test_other_labels(void **state)
{
    (void)state;
    static const char *const both[] = {"siren", "rain", "dog_bark", "cat"}, *const fresh[] = {"rain", "cat",
                                                                                              "background"};
    struct queue_state {
        const char *label;
        enum mqtt_state state;
    } expected[] = {{"dog_bark", MQTT_GONE}, {"siren", MQTT_GONE}};
    struct mqtt_queue *q = online(0);
    size_t label;
    enum mqtt_state now;

    put(q, EVENT_START, "siren", "1", true, false);
    mqtt_queue_relabel(q, both, 4);
    assert_true(mqtt_queue_next_state(q, &label, &now));
    assert_string_equal(mqtt_queue_label(q, label), "cat");
    assert_int_equal(now, MQTT_OFF);
    assert_false(mqtt_queue_next_state(q, &label, &now));
    put(q, EVENT_START, "cat", "2", true, false);
    mqtt_queue_relabel(q, fresh, 3);
    put(q, EVENT_END, "siren", "3", true, false);
    for (size_t i = 0; i < 2; i++) {
        assert_true(mqtt_queue_next_state(q, &label, &now));
        assert_string_equal(mqtt_queue_label(q, label), expected[i].label);
        assert_int_equal(now, expected[i].state);
    }
    assert_false(mqtt_queue_next_state(q, &label, &now));
    expect(q, "1", -1, true); /* the event is told all the same */
    expect(q, "2", MQTT_ON, true);
    expect(q, "3", -1, true);
    assert_false(mqtt_queue_has_label(q, "siren"));
    assert_true(mqtt_queue_has_label(q, "cat"));

    mqtt_queue_relabel(q, labels, 3); /* and back */
    assert_true(mqtt_queue_has_label(q, "siren"));
    for (size_t i = 0; i < 3; i++) {
        assert_true(mqtt_queue_next_state(q, &label, &now));
        assert_int_equal(now, strcmp(mqtt_queue_label(q, label), "cat") == 0 ? MQTT_GONE : MQTT_OFF);
    }
    assert_false(mqtt_queue_next_state(q, &label, &now));
    mqtt_queue_free(q);
}

static bool put_seq(struct mqtt_queue *q, const char *id, int64_t seq, bool replay)
{
    struct event e = {.type = EVENT_START, .notify = true};

    strcpy(e.label, "siren");
    snprintf(e.id, sizeof e.id, "%s", id);
    return replay ? mqtt_queue_replay(q, &e, seq) : mqtt_queue_put(q, &e, seq);
}

/* messages of an outbox take a part of the room; what waits there is put before what is not on the disk, once, and turns no state */
static void test_outbox(void **state)
{
    struct mqtt_queue *q = online(MQTT_QUEUE_MIN);
    struct mqtt_item item;
    char id[16];
    int taken = 0;
    (void)state;

    while (snprintf(id, sizeof id, "s%d", taken + 1) && put_seq(q, id, taken + 1, taken > 0))
        taken++;
    assert_int_equal(taken, 12); /* three eighths */
    assert_int_equal(figures(q).saved, 12);
    assert_false(mqtt_queue_wants(q));
    assert_true(put_seq(q, "memory", 0, false));
    assert_true(put_seq(q, "s3", 3, true)); /* known */
    assert_int_equal(figures(q).queued, 13);
    assert_true(mqtt_queue_pending(q, "memory"));
    assert_false(mqtt_queue_pending(q, "s13"));

    for (int i = 1; i <= 6; i++) {
        snprintf(id, sizeof id, "s%d", i);
        assert_int_equal(mqtt_queue_done(q, expect(q, id, i == 1 ? 1 : -1, true)), i);
    }
    assert_true(mqtt_queue_wants(q));
    assert_true(put_seq(q, "s13", 13, true));
    mqtt_queue_forget(q, 11);
    assert_int_equal(mqtt_queue_done(q, expect(q, "s12", -1, true)), 12);
    size_t slot = expect(q, "s13", -1, true);
    assert_true(mqtt_queue_saved(q, "memory", 14));
    assert_false(mqtt_queue_saved(q, "s12", 15));
    assert_int_equal(figures(q).saved, 2);
    mqtt_queue_rewind(q); /* the broker did not take it */
    slot = expect(q, "s13", -1, true);
    mqtt_queue_done(q, slot);
    assert_int_equal(mqtt_queue_done(q, expect(q, "memory", -1, true)), 14);
    assert_false(mqtt_queue_next(q, &item));
    assert_int_equal(figures(q).dropped_events, 0);
    mqtt_queue_free(q);
}

/* when all room is taken, what the disk has does not go */
static void test_memory_gives_way(void **state)
{
    struct mqtt_queue *q = online(MQTT_QUEUE_MIN);
    char id[16];
    (void)state;

    for (int i = 0; i < 10; i++) {
        snprintf(id, sizeof id, "s%d", i);
        assert_true(put_seq(q, id, i + 1, false));
    }
    for (int i = 0; i < 30; i++) {
        snprintf(id, sizeof id, "m%d", i);
        put_seq(q, id, 0, false);
    }
    assert_int_equal(figures(q).queued, MQTT_QUEUE_MIN);
    assert_int_equal(figures(q).saved, 10);
    assert_int_equal(figures(q).dropped_events, 8);
    for (int i = 0; i < 10; i++) {
        snprintf(id, sizeof id, "s%d", i);
        mqtt_queue_done(q, expect(q, id, i == 0 ? 1 : -1, true));
    }
    mqtt_queue_done(q, expect(q, "m8", -1, true));
    mqtt_queue_free(q);
}

/* a message that is the disk's to bring: the state is told at once all the same */
static void test_present_does_not_wait(void **state)
{
    struct mqtt_queue *q = online(MQTT_QUEUE_MIN);
    struct mqtt_item item;
    size_t label;
    enum mqtt_state on;
    (void)state;

    assert_true(put_seq(q, "later", -1, false));
    assert_false(mqtt_queue_next(q, &item));
    assert_true(mqtt_queue_next_state(q, &label, &on));
    assert_int_equal(label, SIREN);
    assert_int_equal(on, MQTT_ON);
    mqtt_queue_free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outbox),
        cmocka_unit_test(test_memory_gives_way),
        cmocka_unit_test(test_present_does_not_wait),
        cmocka_unit_test(test_order_and_acknowledgement),
        cmocka_unit_test(test_states_are_the_present),
        cmocka_unit_test(test_held_back_events_move_the_state),
        cmocka_unit_test(test_the_end_of_a_test_leaves_a_sound_on),
        cmocka_unit_test(test_updates_go_first),
        cmocka_unit_test(test_drop_while_connected),
        cmocka_unit_test(test_other_labels),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
