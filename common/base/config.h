/* Configuration: one table (base/options.c) holds every option's section, name, type, range, default, unit
 * and help. The INI reader, --section.name=value flags, `earshot config`, conf/earshot.conf and the man page
 * all come from it. */
#ifndef EARSHOT_CONFIG_H
#define EARSHOT_CONFIG_H

#include "audio/analysis.h"
#include "base/err.h"
#include "model/decision.h"
#include <stdbool.h>
#include <stdio.h>

#define CONFIG_TEXT      256
#define LEVEL_CALIBRATED 1.0 /* level.sensitivity: no figure, but what `earshot calibrate` found */

enum clips_record { CLIPS_OFF, CLIPS_SOUNDS, CLIPS_ALL };
enum clips_speech { SPEECH_DROP, SPEECH_FEATURES, SPEECH_KEEP };

#define CONFIG_NAMES 480 /* a list of class names */

/* Which events an action or a webhook is for. Held-back ones (event.notify false) never are. */
struct event_choice {
    char label[CONFIG_NAMES], group[96]; /* "a, b"; both "": all */
    int event;                           /* enum event_choice_type */
    double min_score;                    /* 0..1 */
    double cooldown;                     /* s */
    int rate;                            /* events in any 60 s, 0: any number */
    bool test;                           /* test events too */
};
enum event_choice_type { CHOICE_START, CHOICE_END, CHOICE_BOTH };

struct action_config {
    char name[LABEL_SIZE]; /* first, as in every row */
    struct event_choice when;
    char exec[CONFIG_TEXT]; /* "/path/to/program argument ..."; base/argv.h */
    double timeout;         /* s */
    bool late;              /* late events too */
};

struct webhook_config {
    char name[LABEL_SIZE];
    struct event_choice when;
    char url[CONFIG_TEXT];         /* "": in the secret */
    char secret_file[CONFIG_TEXT]; /* "": the credential webhook-NAME, where there is one */
    char ca_file[CONFIG_TEXT];
    char body[CONFIG_TEXT], content_type[64]; /* body "": the event's JSON */
    double timeout;                           /* s, of one attempt */
    double max_age;                           /* s after which it is given up */
};

struct config {
    struct {
        char device[CONFIG_TEXT]; /* "default", a name, part of one, a number; file:PATH; "-" */
        int rate;                 /* Hz, 0: the device's own; for "-": 16000 */
        int channels;             /* for "-": interleaved channels of the raw stream; 0: as many as `channel` needs */
        char channel[16];         /* "mix", "1", "2", ... */
        double gain_db;
        bool listening;    /* at the start */
        double latency_ms; /* asked of PortAudio; 0: the device's own low latency */
    } input;
    struct gate_params gate;
    struct {
        char file[CONFIG_TEXT];        /* name or path */
        double window;                 /* s, 0: what the model wants (the only other value allowed is that same one) */
        double hop;                    /* s */
        int vocabulary;                /* enum vocabulary_choice */
        bool taught;                   /* listen for what was taught as well */
        bool keep_examples;            /* the sounds of what is taught */
        char taught_file[CONFIG_TEXT]; /* no option: where that stands; "": nowhere, or not wanted */
    } model;
    struct {
        double threshold; /* -1: each class's own from the model */
        int confirm;
        double context; /* s, -1: as the model asks */
        double release, cooldown, close_ratio, late_after;
        bool unknown;
    } decision;
    struct class_rule *rules; /* [class NAME] sections, n_rules of them, owned */
    size_t n_rules;
    struct action_config *actions; /* [action NAME], n_actions of them, owned */
    size_t n_actions;
    struct webhook_config *webhooks; /* [webhook NAME], n_webhooks of them, owned */
    size_t n_webhooks;
    struct {
        bool enabled;
        char host[CONFIG_TEXT];
        int port;
        char username[CONFIG_TEXT], password_file[CONFIG_TEXT];
        char node[64], base[CONFIG_TEXT]; /* node "": the host name; base: "earshot" */
        bool tls;
        char ca_file[CONFIG_TEXT], cert_file[CONFIG_TEXT], key_file[CONFIG_TEXT];
        int version;            /* 0: 5 and then 3.1.1; 5; 3 */
        int keepalive;          /* s */
        int queue;              /* messages held while the broker is away */
        double health_interval; /* s */
    } mqtt;
    struct {
        bool enabled;
        double interval;    /* s that published figures are of, 0: none are */
        double keep;        /* s to a row of the history, 0: none */
        double sensitivity; /* dBFS, full-scale sine 0, at 94 dB SPL; LEVEL_CALIBRATED: see daemon/calibration.h */
        bool third_octave;
        int day_from, day_to, evening_from, evening_to; /* minutes of the local day; the rest is night */
    } level;
    struct {
        int record;                     /* enum clips_record */
        char classes[CONFIG_NAMES];     /* labels and groups, commas between them */
        bool save_all, unknown;         /* every event; sounds in which no class was sure */
        int format;                     /* enum clip_format */
        double preroll, postroll;       /* s */
        double max_length, file_length; /* s; of a sound's clip, of a file of `all` */
        int speech;                     /* enum clips_speech */
        double speech_threshold;        /* 0..1 */
        char dir[CONFIG_TEXT];          /* "": clips in the state directory */
        double max_size, max_age;       /* MB; days, 0: any */
        int max_files;
        double class_share; /* % */
    } clips;
    struct {
        bool enabled;
        char prefix[CONFIG_TEXT];
    } homeassistant;
    struct {
        bool enabled;
        char listen[64];
        int port;
        char token_file[CONFIG_TEXT];
        char tls_cert[CONFIG_TEXT], tls_key[CONFIG_TEXT];
        char allowed_hosts[CONFIG_NAMES]; /* host names, commas between them */
    } web;
    struct {
        char level[8];  /* error warn info debug */
        char format[8]; /* auto text json journal */
    } log;
    struct {
        char dir[CONFIG_TEXT]; /* "" : see state_dir_find */
    } state;
    struct {
        bool enabled;
        double keep;       /* days, 0: for ever */
        double max_size;   /* MB, 0: any */
        int outbox;        /* messages of one receiver */
        double outbox_age; /* days, 0: any */
    } history;
};

/* Defaults. Free with config_free (twice is fine). */
int config_init(struct config *c, struct err *err);
void config_free(struct config *c);

/* The lists as well: out owns its own. -1: no memory, and out holds none. */
int config_copy(struct config *out, const struct config *c, struct err *err);

/* For a copy of the struct alone: the lists stay the original's. */
void config_forget_lists(struct config *c);

/* Reads a file into c; later files and flags win. A bad line: err says file, line, what was wrong, what is
 * allowed; -1 when all was read. If `report` is not NULL all bad lines and warnings (an option given twice)
 * go there, one a line; if it is, warnings go to the log. */
int config_read(struct config *c, const char *path, FILE *report, struct err *err);

/* "section.name=value" or "class.NAME.option=value" (also action, webhook), a flag without its two dashes. */
int config_set(struct config *c, const char *assignment, struct err *err);

/* Is there an option "section.name" or "class.NAME.option"? Reads up to the end or to '='. */
bool config_is_option(const char *key);

/* The rules of that class, or NULL. */
const struct class_rule *config_find_rule(const struct config *c, const char *label);

/* What only the whole can tell (hop <= window, certificate with key, ...). Call when all sources were read.
 */
int config_check(const struct config *c, struct err *err);

void config_write(const struct config *c, FILE *out, bool comments); /* effective values as a valid file */
void config_write_man(FILE *out);                                    /* the option list of earshot.conf(5), roff */

/* Options that differ between a and b: calls fn with "section.name", old and new text and whether it can be
 * applied while the daemon runs. */
void config_diff(const struct config *a, const struct config *b,
                 void (*fn)(void *ctx, const char *key, const char *from, const char *to, bool reloadable), void *ctx);

#endif
