#include "daemon/clips/clip_judge.h"

#include "audio/analysis.h"
#include "model/recogniser.h"
#include "model/speech.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PIECE 1024

struct clip_judge {
    struct recogniser *recogniser;
    double hop_s;
    float threshold;
    size_t *private; /* indices of the labels that count */
    size_t n_private;
    bool embeddings;
    struct analysis *analysis;
    unsigned rate;
    uint64_t base; /* what to add to the analysis' positions; modulo 2^64 */
    clip_judge_sink *sink;
    void *ctx;
};

static int find_labels(struct clip_judge *j, const struct model_info *m, struct err *err)
{
    bool speech = false;

    j->private = calloc(m->n_labels, sizeof *j->private);
    if (!j->private)
        return err_set(err, "no memory");
    for (size_t i = 0; i < m->n_labels; i++) {
        speech |= label_is_speech(m->labels[i]);
        if (label_is_private(m->labels[i]))
            j->private[j->n_private++] = i;
    }
    if (!speech)
        return err_set(
            err,
            "clips: the model %s has no class for speech, so nobody could tell whether a clip holds any; take "
            "another model, or set [clips] speech = keep",
            m->name);
    return 0;
}

struct clip_judge *clip_judge_new(const char *model_path, enum vocabulary_choice vocabulary, double hop_s,
                                  double threshold, bool embeddings, struct err *err)
{
    struct clip_judge *j = calloc(1, sizeof *j);
    /* its decisions are not asked for; with rules of no class they are the model's own */
    struct decision_params decision = {.threshold = -1, .confirm = 1, .close_ratio = 1, .hop_s = hop_s};

    if (!j) {
        err_set(err, "no memory");
        return NULL;
    }
    j->hop_s = hop_s;
    j->threshold = (float)threshold;
    j->embeddings = embeddings;
    j->recogniser = recogniser_new(model_path, vocabulary, &decision, err);
    if (!j->recogniser || find_labels(j, recogniser_model(j->recogniser), err) < 0)
        goto fail;
    const struct model_info *m = recogniser_model(j->recogniser);
    if (embeddings && m->embedding_size == 0) {
        err_set(err,
                "clips: the model %s gives no embedding, so [clips] speech = features has nothing to keep; allowed: "
                "drop, keep, or a model with an embedding",
                m->name);
        goto fail;
    }
    return j;
fail:
    clip_judge_free(j);
    return NULL;
}

void clip_judge_free(struct clip_judge *j)
{
    if (!j)
        return;
    analysis_free(j->analysis);
    recogniser_free(j->recogniser);
    free(j->private);
    free(j);
}

double clip_judge_window_s(const struct clip_judge *j)
{
    return recogniser_window_s(j->recogniser);
}

size_t clip_judge_embedding_size(const struct clip_judge *j)
{
    return j->embeddings ? recogniser_model(j->recogniser)->embedding_size : 0;
}

static void judge(void *ctx, const struct window *w)
{
    struct clip_judge *j = ctx;
    const struct window_info *info = &w->info;
    bool speech = false;

    if (info->empty || !j->sink)
        return;
    const float *scores = recogniser_scores(j->recogniser, w->samples, analysis_window_samples(j->analysis));
    for (size_t i = 0; i < j->n_private; i++)
        speech |= !(scores[j->private[i]] < j->threshold); /* NaN is taken for speech */
    uint64_t hop = (uint64_t)(j->hop_s * j->rate);
    uint64_t settled = info->last ? info->end_position : info->position + hop;
    j->sink(j->ctx, j->base + info->position, j->base + info->end_position, j->base + settled, speech,
            j->embeddings ? recogniser_embedding(j->recogniser) : NULL);
}

int clip_judge_begin(struct clip_judge *j, unsigned rate, uint64_t position, struct err *err)
{
    struct analysis_levels l;

    j->sink = NULL;
    if (j->analysis && j->rate == rate) {
        analysis_flush(j->analysis); /* what came before is another piece of sound */
    } else {
        struct analysis_params params = {.device_rate = rate,
                                         .model_rate = recogniser_rate(j->recogniser),
                                         .window_s = recogniser_window_s(j->recogniser),
                                         .hop_s = j->hop_s,
                                         .gate = {.floor_dbfs = -60},
                                         .no_gate = true};
        analysis_free(j->analysis);
        j->rate = rate;
        j->analysis = analysis_new(&params, NULL, judge, j, err);
        if (!j->analysis)
            return -1;
    }
    analysis_get_levels(j->analysis, &l);
    j->base = position - l.position;
    return 0;
}

void clip_judge_do(struct clip_judge *j, const int16_t *x, size_t n, clip_judge_sink *sink, void *ctx)
{
    float piece[PIECE];

    j->sink = sink;
    j->ctx = ctx;
    while (n > 0) {
        size_t k = n < PIECE ? n : PIECE;
        for (size_t i = 0; i < k; i++)
            piece[i] = x ? (float)x[i] / 32768 : 0;
        analysis_do(j->analysis, piece, k);
        x = x ? x + k : NULL;
        n -= k;
    }
}

void clip_judge_end(struct clip_judge *j, clip_judge_sink *sink, void *ctx)
{
    j->sink = sink;
    j->ctx = ctx;
    if (j->analysis)
        analysis_flush(j->analysis);
    j->sink = NULL;
}
