/* Events, store and MQTT output without a daemon: store_driver MODE DIR COUNT [SECTION.NAME=VALUE ...]
 *   feed    messages 1 to COUNT, each sound a start, two updates and an end. Their number is in `segments`: what is in the history already
 *           is not made again, so that a run goes on where the one before it was killed. Prints "delivered" when all were, and ends
 *   stay    the same, but does not end
 *   hold    one sound a line of stdin, and "figures: ..." after each; the broker need not be there
 *   hour    a quiet hour: COUNT rows of the level meter, with thirds of octaves, and prints how many bytes went to the disk for it
 * Each writes "from N" when it starts. */
#include "base/config.h"
#include "daemon/outputs/output.h"
#include "daemon/store/store_read.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PER_SOUND 4
#define WAITING   100 /* no more for the disk than that */

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void nap_ms(int ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL);
}

static void put(struct output *o, unsigned number)
{
    static const enum event_type types[PER_SOUND] = {EVENT_START, EVENT_UPDATE, EVENT_UPDATE, EVENT_END};
    unsigned sound = (number - 1) / PER_SOUND;
    struct event e = {.type = types[(number - 1) % PER_SOUND], .score = 0.9f, .segments = number, .notify = true};

    e.start_ns = e.end_ns = now_ns();
    uuid7(e.id, e.start_ns);
    snprintf(e.event_id, sizeof e.event_id, "%08x-0000-7000-8000-000000000001", sound);
    snprintf(e.sound_id, sizeof e.sound_id, "%08x-0000-7000-8000-000000000000", sound);
    snprintf(e.label, sizeof e.label, "siren");
    snprintf(e.source, sizeof e.source, "driver");
    snprintf(e.model, sizeof e.model, "none");
    o->event(o, &e);
}

static unsigned told_so_far(const char *dir)
{
    struct err err;
    struct store_reader *r = store_read_open(dir, &err);
    sqlite3_stmt *s = NULL;
    unsigned n = 0;

    if (r && sqlite3_prepare_v2(store_read_db(r), "SELECT max(segments) FROM events", -1, &s, NULL) == SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW)
        n = (unsigned)sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    store_read_close(r);
    return n;
}

static void figures(struct store *s)
{
    struct store_figures f;

    store_get_figures(s, &f);
    printf("figures: on_disk %d waiting %llu stored %llu unstored %llu unsent %llu dropped %llu problem \"%s\"\n",
           f.on_disk, (unsigned long long)f.waiting, (unsigned long long)f.stored, (unsigned long long)f.unstored,
           (unsigned long long)f.unsent, (unsigned long long)f.outbox_dropped, f.problem);
    fflush(stdout);
}

static void feed(struct store *s, struct output *o, unsigned from, unsigned count)
{
    struct store_figures f;

    for (unsigned number = from + 1; number <= count; number++) {
        put(o, number);
        if (number % PER_SOUND == 0)
            nap_ms(10);
        do {
            store_get_figures(s, &f);
            if (f.waiting > WAITING)
                nap_ms(2);
        } while (f.waiting > WAITING);
    }
    do {
        nap_ms(50);
        store_get_figures(s, &f);
    } while (f.waiting || f.unsent || !f.on_disk);
    printf("delivered\n");
    fflush(stdout);
}

static void hold(struct store *s, struct output *o, unsigned from)
{
    char line[64];

    for (unsigned number = from; fgets(line, sizeof line, stdin);) {
        for (int i = 0; i < PER_SOUND && line[0] == '\n'; i++)
            put(o, ++number);
        struct store_figures f;
        int ms = 0;
        do {
            nap_ms(20);
            store_get_figures(s, &f);
        } while (f.on_disk && f.waiting && (ms += 20) < 1000);
        figures(s);
    }
}

static long long written(void)
{
    char line[128];
    long long n = -1;
    FILE *f = fopen("/proc/self/io", "r");

    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "write_bytes: %lld", &n) == 1)
            break;
    if (f)
        fclose(f);
    return n;
}

static void hour(struct store *s, int rows)
{
    struct store_level l = {.interval_s = 60, .laeq = 31, .lafmax = 45, .lcpeak = 60, .n_bands = 30};

    nap_ms(1000); /* the file is made */
    long long before = written();
    for (int i = 0; i < rows; i++) {
        l.time_ms = now_ns() / 1000000 + i * 60000LL;
        l.laeq += 0.1f;
        store_put_level(s, &l);
        nap_ms(50);
    }
    printf("hour: %lld bytes\n", written() - before);
}

int main(int argc, char **argv)
{
    struct config config;
    struct err err;

    if (argc < 4 || config_init(&config, &err))
        return 2;
    for (int i = 4; i < argc; i++)
        if (config_set(&config, argv[i], &err)) {
            fprintf(stderr, "%s\n", err.text);
            return 2;
        }
    struct daemon_control control = {.labels = (const char *const[]){"siren"}, .n_labels = 1};
    struct store_params params = {.dir = argv[2],
                                  .history = true,
                                  .keep_days = config.history.keep,
                                  .max_mb = config.history.max_size,
                                  .outbox_max = config.history.outbox,
                                  .outbox_days = config.history.outbox_age,
                                  .late_retry_s = 1};
    unsigned from = told_so_far(argv[2]);
    printf("from %u\n", from);
    fflush(stdout);
    struct store *s = store_new(&params, &err);
    struct output *mqtt = s ? output_mqtt_new(&config, &control, s, &err) : NULL;
    struct output *history = mqtt ? output_history_new(s, &err) : NULL;
    if (!history) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    if (strcmp(argv[1], "hold") == 0)
        hold(s, history, from);
    else if (strcmp(argv[1], "hour") == 0)
        hour(s, atoi(argv[3]));
    else
        feed(s, history, from, (unsigned)atoi(argv[3]));
    if (strcmp(argv[1], "stay") == 0)
        nap_ms(1000000);
    history->stop(history, 5);
    mqtt->stop(mqtt, 1);
    store_free(s, 5);
    config_free(&config);
    return 0;
}
