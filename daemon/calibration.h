/* What turns dBFS into dB re 20 uPa: one number for each input, kept in the file "calibration" of the state directory.
 *
 * The file holds one JSON object a line and input: device (name as opened, without ALSA's "(hw:1,0)", which changes), channel and
 * gain_db of [input], offset_db (what is added to dBFS), how ("tone", "stated"), level_db (the tone's), time. */
#ifndef EARSHOT_CALIBRATION_H
#define EARSHOT_CALIBRATION_H

#include "base/config.h"
#include "base/err.h"
#include <stdbool.h>

struct calibration {
    bool calibrated;  /* else the figures are dBFS */
    double offset_db; /* 0 where not calibrated */
    char how[16];     /* "tone", "stated" (by earshot calibrate --sensitivity or [level] sensitivity), "" */
    char time[32];    /* RFC 3339, "" */
};

/* What is in force for an input of that name. [level] sensitivity goes before the file. gain_db is earshot's own, so that an
 * entry that was made at another one holds as well, by the difference; another channel is another input. dir "": no state directory.
 * -1: the file cannot be read (err); `out` is uncalibrated then. A missing file is no error. */
int calibration_find(const char *dir, const struct config *config, const char *device, struct calibration *out,
                     struct err *err);

/* Keeps it for that input, in the place of what was there; the file is replaced at once, also in a power cut. -1: err. */
int calibration_save(const char *dir, const struct config *config, const char *device, const struct calibration *c,
                     double level_db, struct err *err);

/* The offset of a microphone whose data sheet says `sensitivity` dBFS at 94 dB, a full-scale sine being 0 dBFS there and
 * -3.01 dBFS here, behind a gain of gain_db. */
double calibration_stated(double sensitivity, double gain_db);

/* Has the file changed since the last call? For a reader that goes on. `seen` is zero at first. */
struct calibration_seen {
    long long mtime_ns, size, inode;
};
bool calibration_changed(const char *dir, struct calibration_seen *seen);

#endif
