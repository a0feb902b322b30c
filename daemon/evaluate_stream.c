#include "daemon/evaluate_stream.h"

#include "base/clock.h"
#include "daemon/evaluate_stream_choose.h"
#include "daemon/evaluate_stream_files.h"
#include "daemon/evaluate_stream_hear.h"
#include "daemon/evaluate_stream_setup.h"
#include "model/policy.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One evaluation on its way. */
struct evaluation {
    const struct evaluate *common;
    const struct evaluate_streams *what;
    struct recorder **recorders; /* [jobs] */
    size_t jobs;
    struct stream_set set;
    float *thresholds;
    struct evaluate_stream_files files;
    struct streams_result result;
};

double stream_per_hour(const struct streams_result *r, double count)
{
    return r->all.seconds > 0 ? count * 3600 / r->all.seconds : NAN;
}

static int no_memory(void)
{
    return cmd_fail(EXIT_FAILED, EVALUATE, "no memory");
}

static int load_model(struct evaluation *v)
{
    struct err err;

    v->jobs = v->common->jobs < v->set.n ? v->common->jobs : v->set.n;
    v->recorders = calloc(v->jobs, sizeof *v->recorders);
    if (!v->recorders)
        return no_memory();
    for (size_t i = 0; i < v->jobs; i++) {
        v->recorders[i] = recorder_new(&v->common->params, v->common->model, &err);
        if (!v->recorders[i])
            return cmd_fail(EXIT_USAGE, EVALUATE, "%s", err.text);
    }
    v->result.model = recorder_model(v->recorders[0]);
    int code = EXIT_GOOD;
    v->thresholds = evaluate_thresholds(v->common, v->result.model, &code);
    v->result.thresholds = v->thresholds;
    return code == EXIT_GOOD ? stream_labels_read(&v->result) : code;
}

static void tell(void *ctx, bool wrong, const char *text)
{
    (void)ctx;
    (void)wrong;
    stream_complain(text);
}

/* Annotations of `background` are for people: no event is ever made of it. */
static void drop_silence(const struct streams_result *r, struct stream_file *f)
{
    size_t kept = 0;

    for (size_t i = 0; i < f->ref.n; i++)
        if (!label_is_silence(r->labels[f->ref.item[i].label]))
            f->ref.item[kept++] = f->ref.item[i];
    if (kept < f->ref.n) {
        struct err err;
        err_set(&err, "%s: %zu events of background are no sounds to be heard and were passed over", f->annotations,
                f->ref.n - kept);
        stream_complain(err.text);
    }
    f->ref.n = kept;
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* Another stream of that name with the same annotations: what they say of the name alone could be either's. */
static const char *find_twin(const struct stream_set *s, const struct stream_file *f)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->files[i].annotations, f->annotations) == 0 && strcmp(s->files[i].sound, f->sound) != 0 &&
            strcmp(last_part(s->files[i].sound), last_part(f->sound)) == 0)
            return s->files[i].sound;
    return NULL;
}

/* Wrong annotations take their stream out; the rest goes on. */
static void read_annotations(struct evaluation *v, struct annotation_params *p)
{
    struct streams_result *r = &v->result;

    for (size_t i = 0; i < v->set.n; i++) {
        struct stream_file *f = &v->set.files[i];
        p->sound = f->sound;
        p->twin = find_twin(&v->set, f);
        f->failed = annotations_read(f->annotations, p, &f->ref, tell, NULL) < 0;
        if (f->failed)
            continue;
        drop_silence(r, f);
        snr_list_add(&r->snrs, &f->ref);
    }
}

/* Files that failed go behind the others. */
static size_t sort_out(struct evaluation *v)
{
    size_t good = 0;

    for (size_t i = 0; i < v->set.n; i++) {
        struct stream_file f = v->set.files[i];
        if (f.failed)
            continue;
        memmove(&v->set.files[good + 1], &v->set.files[good], (i - good) * sizeof f);
        v->set.files[good++] = f;
    }
    return good;
}

static int hear(struct evaluation *v)
{
    struct streams_result *r = &v->result;
    struct annotation_params p = {.labels = r->labels, .n_labels = r->n_labels, .merge = v->what->merge};
    double begun_s = clock_s(CLOCK_MONOTONIC);

    read_annotations(v, &p);
    size_t usable = sort_out(v);
    if (usable == 0)
        return cmd_fail(EXIT_FAILED, EVALUATE, "no stream could be evaluated");
    struct evaluate common = *v->common;
    common.jobs = v->jobs;
    struct stream_work work = {.common = &common,
                               .recorders = v->recorders,
                               .annotations = &p,
                               .snrs = &r->snrs,
                               .files = v->set.files,
                               .n_files = usable,
                               .sweep = &r->sweep};
    if (stream_hear(&work) < 0)
        return EXIT_FAILED;
    for (size_t i = 0; i < usable; i++)
        if (v->set.files[i].complaint)
            stream_complain(v->set.files[i].complaint);
    r->files = v->set.files;
    r->n_files = sort_out(v);
    r->n_failed = v->set.n - r->n_files + v->set.n_bad;
    r->elapsed_s = clock_s(CLOCK_MONOTONIC) - begun_s;
    return r->n_files ? EXIT_GOOD : cmd_fail(EXIT_FAILED, EVALUATE, "no stream could be evaluated");
}

static int pool(struct evaluation *v)
{
    struct streams_result *r = &v->result;

    for (size_t i = 0; i < r->n_files; i++)
        if (stream_figures_merge(&r->all, &r->files[i].figures) < 0)
            return no_memory();
    r->sweep.hours = r->all.seconds / 3600;
    return EXIT_GOOD;
}

static int report(struct evaluation *v)
{
    const struct streams_result *r = &v->result;

    if (!v->common->cx->json)
        evaluate_stream_text(stdout, r);
    else if (evaluate_stream_json(stdout, r) < 0)
        return no_memory();
    return evaluate_stream_files_write(&v->files, r) < 0 ? EXIT_FAILED : EXIT_GOOD;
}

static void evaluation_free(struct evaluation *v)
{
    struct streams_result *r = &v->result;

    for (size_t i = 0; v->recorders && i < v->jobs; i++)
        recorder_free(v->recorders[i]);
    evaluate_stream_files_abandon(&v->files);
    free(v->recorders);
    free(v->thresholds);
    free(r->chosen);
    free(r->choices);
    stream_groups_free(r);
    stream_labels_free(r);
    sweep_free(&r->sweep);
    stream_figures_free(&r->all);
    stream_set_free(&v->set);
}

int evaluate_stream_run(const struct evaluate *e, const struct evaluate_streams *what)
{
    struct evaluation v = {.common = e, .what = what, .result = {.verbose = what->verbose, .budget = NAN}};
    struct streams_result *r = &v.result;
    int code = stream_set_read(&v.set, what);

    if (code == EXIT_GOOD)
        code = load_model(&v);
    if (code == EXIT_GOOD)
        code = stream_groups_read(r, what);
    if (code == EXIT_GOOD)
        code = evaluate_stream_files_open(&v.files, e, what, v.set.files, v.set.n);
    if (code == EXIT_GOOD && (stream_figures_new(&r->all, r->n_labels) < 0 || sweep_new(&r->sweep, r->n_labels) < 0))
        code = no_memory();
    if (code == EXIT_GOOD)
        code = hear(&v);
    if (code == EXIT_GOOD)
        code = pool(&v);
    if (code == EXIT_GOOD)
        code = stream_choose(r, what);
    if (code == EXIT_GOOD)
        code = report(&v);
    if (code == EXIT_GOOD && r->n_failed)
        code = EXIT_FAILED;
    evaluation_free(&v);
    return code;
}
