#include "daemon/feature_job.h"

#include "base/clock.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES_MAX = 1 << 30 };

static int grow(float **p, size_t *room, size_t need, struct err *err)
{
    if (need <= *room)
        return 0;
    size_t more = need + need / 2;
    float *bigger = realloc(*p, more * sizeof **p);
    if (!bigger)
        return err_set(err, "no memory for %zu samples", need);
    *p = bigger;
    *room = more;
    return 0;
}

/* An extractor for that many samples. */
static int ready_feature(struct feature_job *job, size_t samples, struct err *err)
{
    if (job->f && samples <= job->max_samples)
        return 0;
    size_t room = job->window ? samples : samples + samples / 2;
    struct feature *f = feature_new(job->feature, job->params, job->n_params, room, err);
    if (!f)
        return -1; /* the one there is serves the files to come */
    feature_free(job->f);
    job->f = f;
    job->max_samples = room;
    return 0;
}

/* What the array is made of: of a window its matrix, or the model's values; of a whole file each row. */
static int start_output(struct feature_job *job, size_t rows, size_t cols, struct err *err)
{
    size_t item[] = {rows, cols};
    bool matrices = job->window && job->give == GIVE_FEATURES;

    job->cols = cols;
    job->npy = matrices ? npy_create(job->output, item, 2, err) : npy_create(job->output, item + 1, 1, err);
    return job->npy ? 0 : -1;
}

/* What the recogniser does with a window, up to the scores. */
static const float *compute(struct feature_job *job, const float *x, size_t n, size_t *cols)
{
    feature_do(job->f, x, n, job->out);
    if (job->give == GIVE_FEATURES)
        return job->out;
    model_run(job->model, job->out, job->scores, job->embedding);
    *cols = job->give == GIVE_SCORES ? model_info(job->model)->n_labels : model_info(job->model)->embedding_size;
    return job->give == GIVE_SCORES ? job->scores : job->embedding;
}

/* One matrix, or the model's values for it: an item, or without windows `rows` items. */
static int add_matrix(struct feature_job *job, const float *x, size_t n, size_t *items, struct err *err)
{
    size_t rows, cols;

    feature_shape(job->f, n, &rows, &cols);
    if (grow(&job->out, &job->out_room, rows * cols, err) < 0)
        return -1;
    double before = clock_s(CLOCK_THREAD_CPUTIME_ID);
    const float *values = compute(job, x, n, &cols);
    job->spent_s += clock_s(CLOCK_THREAD_CPUTIME_ID) - before;
    job->audio_s += (double)n / feature_rate(job->f);
    if (!job->output)
        return 0;
    if (!job->npy && start_output(job, rows, cols, err) < 0)
        return -1;
    if (cols != job->cols)
        return err_set(err, "%zu columns, %zu in the files before it: give --window, or --param frames=N", cols,
                       job->cols);
    *items += job->window ? 1 : rows;
    return npy_append(job->npy, values, job->window ? 1 : rows, err);
}

/* Windows start every hop from sample 0; zeros fill up the last one. */
static int add_windows(struct feature_job *job, size_t *items, struct err *err)
{
    size_t after = job->sound.n > job->window ? job->sound.n - job->window : 0,
           windows = 1 + (after + job->hop - 1) / job->hop;
    size_t padded = (windows - 1) * job->hop + job->window;

    if (loaded_grow(&job->sound, padded, err) < 0)
        return -1;
    for (size_t i = job->sound.n; i < padded; i++)
        job->sound.x[i] = 0;
    for (size_t w = 0; w < windows; w++)
        if (add_matrix(job, job->sound.x + w * job->hop, job->window, items, err) < 0)
            return -1;
    return 0;
}

static void write_index(FILE *csv, const char *path, size_t first, size_t items)
{
    fputc('"', csv);
    for (; *path; path++)
        fprintf(csv, *path == '"' ? "\"\"" : "%c", *path);
    fprintf(csv, "\",%zu,%zu\n", first, items);
}

int feature_job_file(struct feature_job *job, const char *path, struct err *err)
{
    size_t items = 0;
    int status = -1;
    if (load_mono(&job->sound, path, feature_rate(job->f), job->quality, SAMPLES_MAX, err) < 0)
        return -1;
    if (job->window)
        status = add_windows(job, &items, err);
    else if ((status = ready_feature(job, job->sound.n, err)) == 0)
        status = add_matrix(job, job->sound.x, job->sound.n, &items, err);
    if (status < 0)
        err_prefix(err, "%s: ", path);
    if (job->csv && items > 0)
        write_index(job->csv, path, job->count, items);
    job->count += items;
    return status;
}

static int make_model_room(struct feature_job *job, struct err *err)
{
    const struct model_info *info = model_info(job->model);

    if (job->give == GIVE_EMBEDDING && info->embedding_size == 0)
        return err_set(err, "%s: the graph has no output called \"embedding\"; it gives scores and features",
                       info->path);
    job->scores = calloc(info->n_labels, sizeof *job->scores);
    job->embedding = calloc(info->embedding_size + 1, sizeof *job->embedding);
    return job->scores && job->embedding ? 0 : err_set(err, "no memory");
}

int feature_job_start(struct feature_job *job, bool *usage, struct err *err)
{
    *usage = true;
    if (job->model && make_model_room(job, err) < 0)
        return -1;
    if (ready_feature(job, 1, err) < 0)
        return -1;
    job->window = (size_t)lround(job->window_s * feature_rate(job->f));
    job->hop = job->hop_s > 0 ? (size_t)lround(job->hop_s * feature_rate(job->f)) : job->window;
    if (job->window_s > 0 && (!job->window || !job->hop))
        return err_set(err, "--window %g: too short", job->window_s);
    if (job->window_s > 0 && ready_feature(job, job->window, err) < 0)
        return err_prefix(err, "--window %g: ", job->window_s);
    *usage = false;
    if (job->index && !(job->csv = fopen(job->index, "w")))
        return err_set(err, "%s: %s", job->index, strerror(errno));
    if (job->csv)
        fputs("file,first,count\n", job->csv);
    return 0;
}

int feature_job_finish(struct feature_job *job, struct err *err)
{
    int status = job->npy ? npy_finish(job->npy, err) : 0;

    job->npy = NULL;
    if (job->csv && (ferror(job->csv) | fclose(job->csv)))
        status = err_set(err, "%s: %s", job->index, strerror(errno));
    job->csv = NULL;
    return status;
}

void feature_job_free(struct feature_job *job)
{
    npy_abandon(job->npy);
    if (job->csv)
        fclose(job->csv);
    feature_free(job->f);
    free(job->sound.x);
    free(job->out);
    free(job->scores);
    free(job->embedding);
}
