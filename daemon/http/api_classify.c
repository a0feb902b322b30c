/* POST /api/v1/classify: what does this file hold? It is written to a file without a name as it comes, and looked through by a process that
 * may fail alone (daemon/upload). The listening daemon does nothing but that writing. */
#include "daemon/http/internal.h"
#include "daemon/upload/upload.h"
#include "daemon/upload/upload_file.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SENDERS_MOST = 4, PART_BUFFER = 32 * 1024, PART_HEADERS = 64 * 1024 };

struct module {
    struct uploads *uploads;
    atomic_uint senders; /* files that are being sent: each has its place on the disk */
};

/* A file on its way in. */
struct sending {
    struct module *module;
    struct request *request;
    int fd;
    size_t size;
    char name[UPLOAD_NAME];
    struct MHD_PostProcessor *parts; /* NULL: the body is the file */
    unsigned files;                  /* parts called `file` so far */
};

/* --- taking it ------------------------------------------------------------------------------------------------------------------- */

static void drop(void *own)
{
    struct sending *s = own;

    if (s->parts)
        MHD_destroy_post_processor(s->parts);
    if (s->fd >= 0)
        close(s->fd);
    atomic_fetch_sub(&s->module->senders, 1);
    free(s);
}

static int keep(struct sending *s, const char *data, size_t size)
{
    struct err err;

    s->size += size;
    if (s->size > UPLOAD_BYTES) {
        reply_problem(s->request, 413, "the file has more than %u MB", UPLOAD_BYTES >> 20);
        return -1;
    }
    if (upload_file_write(s->fd, data, size, &err) == 0)
        return 0;
    reply_problem(s->request, 507, "no room for the file: %s", err.text);
    return -1;
}

static enum MHD_Result take_part(void *cls, enum MHD_ValueKind kind, const char *key, const char *filename,
                                 const char *content_type, const char *transfer_encoding, const char *data,
                                 uint64_t offset, size_t size)
{
    struct sending *s = cls;

    (void)kind;
    (void)content_type;
    (void)transfer_encoding;
    if (!key || strcmp(key, "file") != 0)
        return MHD_YES; /* other fields of a form are none of our business */
    if (offset == 0 && ++s->files == 1 && filename)
        upload_file_name(filename, s->name, sizeof s->name);
    if (s->files > 1) {
        reply_problem(s->request, 400, "more than one field \"file\"");
        return MHD_NO;
    }
    return keep(s, data, size) < 0 ? MHD_NO : MHD_YES;
}

static bool is_multipart(const struct request *r)
{
    const char *type = request_header(r, "Content-Type");

    return type && strncasecmp(type, "multipart/form-data", 19) == 0;
}

static int begin(struct web *w, struct request *r)
{
    struct module *m = web_state(w, WEB_UPLOAD);
    struct err err;

    if (atomic_fetch_add(&m->senders, 1) >= SENDERS_MOST) {
        atomic_fetch_sub(&m->senders, 1);
        reply_problem(r, 503, "%d files are being sent already", SENDERS_MOST);
        return -1;
    }
    struct sending *s = calloc(1, sizeof *s);
    if (!s) {
        atomic_fetch_sub(&m->senders, 1);
        reply_problem(r, 503, "out of memory");
        return -1;
    }
    *s = (struct sending){.module = m, .request = r, .fd = -1};
    request_keep(r, s, drop);
    if (is_multipart(r) && !(s->parts = MHD_create_post_processor(r->connection, PART_BUFFER, take_part, s))) {
        reply_problem(r, 400, "multipart/form-data without a boundary");
        return -1;
    }
    s->fd = upload_file_open(web_state_dir(w), &err);
    if (s->fd >= 0)
        return 0;
    reply_problem(r, 507, "no room for a file: %s", err.text);
    return -1;
}

static int data(struct web *w, struct request *r, const char *bytes, size_t size)
{
    struct sending *s = request_own(r);

    (void)w;
    if (!s->parts)
        return keep(s, bytes, size);
    if (MHD_post_process(s->parts, bytes, size) == MHD_YES)
        return 0;
    reply_problem(r, 400, "the body is no multipart/form-data"); /* unless there is a reply already */
    return -1;
}

/* --- looking through it ------------------------------------------------------------------------------------------------------------ */

static unsigned status_of(enum upload_result result)
{
    switch (result) {
    case UPLOAD_GOOD:
        return 200;
    case UPLOAD_NOT_AUDIO:
        return 415;
    case UPLOAD_BROKEN:
        return 422;
    case UPLOAD_TOO_LONG:
        return 413;
    case UPLOAD_BUSY:
    case UPLOAD_STOPPED:
        return 503;
    case UPLOAD_GONE:
        return 400; /* nobody reads it */
    case UPLOAD_FAILED:
        break;
    }
    return 500;
}

static void answer(void *ctx, struct upload_answer *a)
{
    struct request *r = ctx;

    if (a->result == UPLOAD_GOOD) {
        reply_owned(r, 200, "application/json", a->json, a->json_size);
        a->json = NULL;
    } else {
        reply_problem(r, status_of(a->result), "%s", a->text);
    }
    request_resume(r);
}

static int find_model(struct request *r, struct upload_job *job)
{
    const char *name = request_query(r, "model");

    if (!name || upload_find_model(name, job->model))
        return 0;
    reply_problem(r, 400, "no model of the name \"%.60s\"; GET /api/v1/models lists them", name);
    return -1;
}

/* As things are heard now. */
static void follow_settings(struct web *w, struct uploads *u)
{
    struct config now;

    if (web_commands(w) && commands_config(web_commands(w), &now, NULL) == 0) {
        uploads_configure(u, &now, NULL);
        config_free(&now);
    }
}

static int check(struct request *r, struct sending *s)
{
    /* what stands before the boundary's last line */
    if (s->parts && MHD_destroy_post_processor(s->parts) != MHD_YES && !s->files)
        reply_problem(r, 400, "the body is no multipart/form-data");
    else if (s->parts && !s->files)
        reply_problem(r, 400, "a field \"file\" is missing");
    else if (!s->size)
        reply_problem(r, 415, "the file is empty");
    s->parts = NULL;
    return r->status ? -1 : 0;
}

static void classify(struct web *w, struct request *r)
{
    struct module *m = web_state(w, WEB_UPLOAD);
    struct sending *s = request_own(r);
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct upload_job job = {.client = info ? info->connect_fd : -1, .done = answer, .ctx = r};
    struct err err;

    if (!s) {
        reply_problem(r, 415, "the file is empty"); /* no body at all */
        return;
    }
    if (check(r, s) < 0 || find_model(r, &job) < 0)
        return;
    follow_settings(w, m->uploads);
    snprintf(job.name, sizeof job.name, "%s", s->name);
    job.file = upload_file_reopen(s->fd, &err);
    if (job.file < 0) {
        reply_problem(r, 500, "the file cannot be read again: %s", err.text);
        return;
    }
    request_defer(r);
    if (uploads_put(m->uploads, &job))
        return;
    reply_problem(r, 503, "other files are being looked through");
    request_resume(r);
}

/* --- the module -------------------------------------------------------------------------------------------------------------------- */

static int open_module(struct web *w, struct err *err)
{
    struct module *m = calloc(1, sizeof *m);

    if (!m)
        return err_set(err, "out of memory");
    m->uploads = uploads_new(web_config(w), web_state_dir(w), err);
    if (!m->uploads) {
        free(m);
        return -1;
    }
    web_set_state(w, WEB_UPLOAD, m);
    return 0;
}

static void end(struct web *w)
{
    struct module *m = web_state(w, WEB_UPLOAD);

    uploads_stop(m->uploads);
}

static void close_module(struct web *w)
{
    struct module *m = web_state(w, WEB_UPLOAD);

    if (!m)
        return;
    uploads_free(m->uploads);
    free(m);
}

const struct web_module module_upload = {.id = WEB_UPLOAD, .open = open_module, .end = end, .close = close_module};

#define LABELS                                                                                                         \
    "{'type':'array','items':{'type':'object','required':['label','score'],'properties':{"                             \
    "'label':{'type':'string'},'score':{'type':'number','minimum':0,'maximum':1}}}}"
#define NUMBERS  "{'type':'array','maxItems':1000,'items':{'type':'number','minimum':-1,'maximum':1}}"
#define SECONDS  "{'type':'number','minimum':0}"
#define DECIBELS "{'type':['number','null']}"

const struct web_schema schemas_classify[] = {
    {"Classification",
     "{'type':'object','required':['file','duration_s','top','events','waveform','spectrogram','windows'],"
     "'properties':{'file':{'type':['string','null'],'description':'as it was called in the form'},"
     "'duration_s':" SECONDS ",'top':" LABELS ",'events':{'type':'array','items':{'type':'object','required':["
     "'label','score','start_s','end_s','peak_dbfs','rms_dbfs','top'],'properties':{'label':{'type':'string'},"
     "'score':{'type':'number'},'start_s':" SECONDS ",'end_s':" SECONDS ",'peak_dbfs':" DECIBELS ",'rms_dbfs':" DECIBELS
     ",'top':" LABELS "}}},"
     "'waveform':{'type':'object','required':['step_s','min','max'],'description':'least and greatest sample of each "
     "step','properties':{'step_s':" SECONDS ",'min':" NUMBERS ",'max':" NUMBERS "}},"
     "'spectrogram':{'type':'object','required':['step_s','bands','columns','top_hz','data'],'description':'data: a "
     "byte for each of 64 mel bands from 50 Hz to top_hz, column after column; 0 is -100 dBFS or less, 255 is 0 "
     "dBFS','properties':{'step_s':" SECONDS ",'bands':{'const':64},'columns':{'type':'integer','minimum':0,"
     "'maximum':500},'top_hz':{'type':'number'},'data':{'type':'string','contentEncoding':'base64'}}},"
     "'windows':{'type':'array','maxItems':1200,'items':{'type':'object','required':['start_s','top'],'properties':{"
     "'start_s':" SECONDS ",'top':" LABELS "}}}}}"},
    {NULL, NULL},
};

const struct route routes_classify[] = {
    {.method = "POST",
     .path = "/api/v1/classify",
     .handle = classify,
     .params =
         (const struct query_param[]){
             {.name = "model",
              .type = PARAM_TEXT,
              .help = "Name of a model, as GET /models lists them; else the one that listens."},
             {.name = NULL}},
     .body = BODY_STREAM,
     .body_max = UPLOAD_BYTES + PART_HEADERS,
     .sink = &(const struct body_sink){begin, data},
     .body_types = "audio/*|application/octet-stream|multipart/form-data",
     .summary = "What a recording holds: WAV, FLAC, Ogg or MP3 of at most 50 MB, as the body or as the field `file` of "
                "a form.",
     .schema = "{'$ref':'#/components/schemas/Classification'}",
     .problems = "413|415|422|500|503|507"},
    {.method = NULL},
};
