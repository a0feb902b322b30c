/* Two lock-free rings lead to the writer: blocks of samples from the analysis thread, notes from the worker. It polls for samples
 * twice a second and is woken when the ring is half full or a note came. */
#include "daemon/clips/clips.h"

#include "base/clock.h"
#include "base/log.h"
#include "daemon/clips/clip_choice.h"
#include "daemon/clips/clip_folder.h"
#include "daemon/clips/clips_private.h"
#include "model/model.h"
#include "model/speech.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#define POLL_NS     500000000LL
#define PATIENCE_NS 5000000000LL /* an input that can be held back is, for so long */
#define SAY_EVERY_S 60

/* --- analysis thread --------------------------------------------------------------------------------------------------- */

static void hand_over(struct clips *c)
{
    if (!c->place)
        return;
    ring_commit(c->blocks);
    c->place = NULL;
    if (ring_used(c->blocks) % (CLIPS_BLOCKS / 8) == CLIPS_BLOCKS / 8 - 1 && ring_used(c->blocks) >= CLIPS_BLOCKS / 4)
        sem_post(&c->filled);
}

static struct clip_block *reserve(struct clips *c, bool patient, const atomic_bool *stop)
{
    struct clip_block *b = ring_reserve(c->blocks);
    int64_t until = 0;

    while (!b && patient && !atomic_load_explicit(stop, memory_order_relaxed)) {
        int64_t now = clock_ns(CLOCK_MONOTONIC);
        until = until ? until : now + PATIENCE_NS;
        if (now > until)
            break;
        sem_post(&c->filled);
        nanosleep(&(struct timespec){0, 1000000}, NULL);
        b = ring_reserve(c->blocks);
    }
    return b;
}

static bool continues(const struct clip_block *b, const struct clips_audio *a)
{
    return b->stream == a->stream && b->rate == a->rate && b->position + b->frames == a->position && a->lost == 0 &&
           b->frames < CLIP_BLOCK;
}

static void convert(int16_t *to, const float *from, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float v = isfinite(from[i]) ? from[i] * 32768 : 0;
        to[i] = (int16_t)lrintf(v > 32767 ? 32767 : v < -32768 ? -32768 : v);
    }
}

static void begin_block(struct clips *c, const struct clips_audio *a)
{
    uint64_t lost = a->lost + c->skipped;

    c->place->position = a->position;
    c->place->utc_ns = a->utc_ns;
    c->place->stream = a->stream;
    c->place->rate = a->rate;
    c->place->lost = lost < UINT32_MAX ? (uint32_t)lost : UINT32_MAX;
    c->place->frames = 0;
    c->place->ends = false;
    c->skipped = 0;
}

void clips_audio(struct clips *c, const struct clips_audio *audio, bool patient, const atomic_bool *stop)
{
    struct clips_audio a = *audio;

    while (a.frames > 0) {
        if (c->place && !continues(c->place, &a))
            hand_over(c);
        if (!c->place) {
            c->place = reserve(c, patient, stop);
            if (!c->place) {
                c->skipped += a.frames + a.lost;
                atomic_fetch_add_explicit(&c->lost, a.frames, memory_order_relaxed);
                return;
            }
            begin_block(c, &a);
            a.lost = 0;
        }
        struct clip_block *b = c->place;
        size_t room = CLIP_BLOCK - (size_t)b->frames, n = room < a.frames ? room : a.frames;
        convert(b->samples + b->frames, a.samples, n);
        b->frames = (uint16_t)(b->frames + n);
        a.samples += n;
        a.frames -= n;
        a.position += n;
        a.utc_ns += (int64_t)n * 1000000000 / a.rate;
        if (b->frames == CLIP_BLOCK)
            hand_over(c);
    }
    c->last = a;
}

void clips_pause(struct clips *c)
{
    if (!c->place && c->last.rate > 0 && (c->place = ring_reserve(c->blocks)))
        begin_block(c, &c->last);
    if (!c->place)
        return; /* without one, the positions that follow say so, or that nothing does */
    c->place->ends = true;
    hand_over(c);
    sem_post(&c->filled);
}

/* --- writer ------------------------------------------------------------------------------------------------------------ */

static void on_fate(void *ctx, uint64_t serial, enum clip_fate fate)
{
    struct clips *c = ctx;

    atomic_store_explicit(&c->fates[serial % CLIPS_FATES], serial * 2 + (fate == CLIP_SPEECH), memory_order_relaxed);
}

static void share_figures(struct clips *c, double *said_s)
{
    struct clip_figures f = *clip_recorder_figures(c->recorder);
    uint64_t lost = atomic_load_explicit(&c->lost, memory_order_relaxed);
    double now = clock_s(CLOCK_MONOTONIC);

    f.failed += atomic_load_explicit(&c->notes_lost, memory_order_relaxed);
    pthread_mutex_lock(&c->figures_lock);
    bool more = f.lost_frames > c->figures.lost_frames;
    c->figures = f;
    pthread_mutex_unlock(&c->figures_lock);
    if (more && lost > 0 && now >= *said_s) {
        log_warn("clips: the disk is too slow: %" PRIu64 " samples found no room so far, and are missing in clips",
                 lost);
        *said_s = now + SAY_EVERY_S;
    }
}

/* What is there: notes first, as they may speak of samples that are about to come. */
static bool work(struct clips *c)
{
    const struct clip_note *n;
    const struct clip_block *b;

    while ((n = ring_peek(c->notes)) && clip_recorder_note(c->recorder, n))
        ring_release(c->notes);
    b = ring_peek(c->blocks);
    if (!b)
        return false;
    clip_recorder_block(c->recorder, b);
    ring_release(c->blocks);
    return true;
}

static void rest(struct clips *c)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + POLL_NS;
    until.tv_sec += ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    sem_clockwait(&c->filled, CLOCK_MONOTONIC, &until);
}

static void clips_free(struct clips *c)
{
    if (!c)
        return;
    clip_recorder_free(c->recorder);
    ring_free(c->blocks);
    ring_free(c->notes);
    free(c->wanted);
    free(c->private);
    sem_destroy(&c->filled);
    pthread_mutex_destroy(&c->figures_lock);
    free(c);
}

static void *clips_main(void *arg)
{
    struct clips *c = arg;
    double said_s = 0;

    prctl(PR_SET_NAME, "clips");
    while (!output_thread_abandoned(&c->thread)) {
        bool any = work(c);
        if (any)
            continue;
        clip_recorder_tick(c->recorder, clock_ms(CLOCK_REALTIME));
        share_figures(c, &said_s);
        if (atomic_load_explicit(&c->stopping, memory_order_relaxed))
            break;
        rest(c);
    }
    if (!output_thread_abandoned(&c->thread))
        clip_recorder_finish(c->recorder);
    share_figures(c, &said_s);
    if (output_thread_end(&c->thread)) {
        output_thread_clear(&c->thread);
        clips_free(c);
    }
    return NULL;
}

/* --- start and stop ---------------------------------------------------------------------------------------------------- */

static struct clip_judge *make_judge(const struct config *config, double *window_s, bool *ok, struct err *err)
{
    char path[4096];

    *ok = true;
    *window_s = 1; /* nobody judges: all that hangs on it is how much is held */
    if (config->clips.speech == SPEECH_KEEP)
        return NULL;
    *ok = false;
    if (model_find(config->model.file, path, sizeof path, err) < 0)
        return NULL;
    struct clip_judge *j = clip_judge_new(path, (enum vocabulary_choice)config->model.vocabulary, config->model.hop,
                                          config->clips.speech_threshold, config->clips.speech == SPEECH_FEATURES, err);
    if (j)
        *window_s = clip_judge_window_s(j);
    *ok = j;
    return j;
}

static int choose(struct clips *c, struct err *err)
{
    for (size_t i = 0; i < c->n_labels; i++) {
        c->private[i] = label_is_private(c->labels[i]);
        c->wanted[i] = c->config.clips.save_all;
    }
    return c->config.clips.record == CLIPS_SOUNDS ? clip_choice(&c->config, c->labels, c->n_labels, c->wanted, err) : 0;
}

static int open_parts(struct clips *c, const char *state_dir, struct err *err)
{
    char dir[4096];
    double window_s;
    bool ok;

    if (choose(c, err) < 0 || clip_folder_path(&c->config, state_dir, dir, sizeof dir, err) < 0)
        return -1;
    struct clip_judge *judge = make_judge(&c->config, &window_s, &ok, err);
    if (!ok)
        return -1;
    c->recorder = clip_recorder_new(&c->config, dir, window_s, judge, on_fate, c);
    if (!c->recorder) {
        clip_judge_free(judge);
        return err_set(err, "clips: no memory");
    }
    log_info("clips: %s are kept in %s%s",
             c->config.clips.record == CLIPS_ALL ? "files of everything that is heard"
             : c->config.clips.save_all          ? "the sounds of all events"
                                                 : "the sounds of chosen events",
             dir, judge ? "; without speech" : ", speech too");
    return 0;
}

struct clips *clips_new(const struct config *config, const char *state_dir, const char *const *labels, size_t n_labels,
                        struct err *err)
{
    struct clips *c = calloc(1, sizeof *c);

    if (!c) {
        err_set(err, "clips: no memory");
        return NULL;
    }
    c->config = *config;
    config_forget_lists(&c->config);
    c->labels = labels;
    c->n_labels = n_labels;
    pthread_mutex_init(&c->figures_lock, NULL);
    sem_init(&c->filled, 0, 0);
    c->wanted = calloc(n_labels, sizeof *c->wanted);
    c->private = calloc(n_labels, sizeof *c->private);
    c->blocks = ring_new(sizeof(struct clip_block), CLIPS_BLOCKS);
    c->notes = ring_new(sizeof(struct clip_note), CLIPS_NOTES);
    if (!c->wanted || !c->private || !c->blocks || !c->notes) {
        err_set(err, "clips: no memory");
        goto fail;
    }
    if (open_parts(c, state_dir, err) < 0)
        goto fail;
    int rc = output_thread_start(&c->thread, clips_main, c);
    if (rc) {
        err_set(err, "clips: %s", strerror(rc));
        goto fail;
    }
    return c;
fail:
    clips_free(c);
    return NULL;
}

void clips_stop(struct clips *c, double flush_s)
{
    if (!c)
        return;
    hand_over(c);
    atomic_store_explicit(&c->stopping, true, memory_order_relaxed);
    sem_post(&c->filled);
    if (!output_thread_join(&c->thread, flush_s)) {
        log_warn("clips: the disk does not answer; what was being written is left unfinished");
        return;
    }
    output_thread_clear(&c->thread);
    clips_free(c);
}

void clips_figures(struct clips *c, struct clip_figures *out)
{
    pthread_mutex_lock(&c->figures_lock);
    *out = c->figures;
    pthread_mutex_unlock(&c->figures_lock);
}
