/* What this box was taught, on the disk: STATE/taught, one small versioned file that is replaced as a whole (teach/taughtfile.h has its
 * form). `earshot teach`, `earshot label`, the daemon's commands and the web's routes all come here.
 *
 * Any thread, any process: a change holds STATE/taught.lock, and waits up to 30 s for it. The daemon looks at the file itself and puts
 * what is new into use between two windows. */
#ifndef EARSHOT_TAUGHT_H
#define EARSHOT_TAUGHT_H

#include "base/err.h"
#include "daemon/teach/renew.h"
#include "teach/taughtfile.h"
#include <jansson.h>

#define TAUGHT_FILE "taught"

/* {"classes":[{"label", "name", "examples", "windows", "threshold", "model", "model_hash", "taught" (RFC 3339), "recall",
 * "false_alarms_per_hour", "sources":[{"source", "from", "rms_dbfs", "duration_s", "score", "sound" (is it kept? kept.h)}]}], "corrections":[{"label", "event_id",
 * "reach", "reduction"}]}; both empty where nothing was taught. The caller's; NULL: the file cannot be read, err says why. */
json_t *taught_json(const char *dir, struct err *err);

/* Forgets a class. -1: there is none of that label (err lists those that there are). */
int taught_forget(const char *dir, const char *label, struct err *err);

/* Learns anew from the examples that are kept and from the verdicts (verdict.h) that were given, and replaces the file. model: name or path
 * of the one in use. What was taught to another version of it is learned anew from the sounds that are kept of its examples; with RENEW_ALL
 * what was taught to other models as well. May take a second of a processor: no thread that others wait for. note (of `size`; may be NULL):
 * one line that says what came of it. renewed may be NULL. */
int taught_relearn(const char *dir, const char *model, double hop_s, enum renewing which, struct renewed *renewed,
                   char *note, size_t size, struct err *err);

/* --- for who changes the file himself (cmd_teach.c) */

int taught_path(const char *dir, char *out, size_t size, struct err *err);

/* Held until taught_unlock, or until the process ends in any way. -1: err. */
int taught_lock(const char *dir, struct err *err);
void taught_unlock(int lock);

/* err: there is no class of that label; those that there are. Returns -1. */
int taught_unknown(const struct taughtfile *f, const char *label, struct err *err);

#endif
