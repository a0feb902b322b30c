#include "base/options.h"
#include "base/config.h"
#include "model/vocabulary.h"

#include <string.h>

#define AT(field)     offsetof(struct config, field), sizeof(((struct config *)0)->field)
#define RULE(field)   offsetof(struct class_rule, field), sizeof(((struct class_rule *)0)->field)
#define ACTION(field) offsetof(struct action_config, field), sizeof(((struct action_config *)0)->field)
#define HOOK(field)   offsetof(struct webhook_config, field), sizeof(((struct webhook_config *)0)->field)
/* two fields that follow each other */
#define HOURS(field) offsetof(struct config, field), 2 * sizeof(int)
_Static_assert(offsetof(struct config, level.day_to) == offsetof(struct config, level.day_from) + sizeof(int) &&
                   offsetof(struct config, level.evening_to) ==
                       offsetof(struct config, level.evening_from) + sizeof(int),
               "options \"day\" and \"evening\" write both");
#define RULE_HOURS offsetof(struct class_rule, active_from), 2 * sizeof(int)
_Static_assert(offsetof(struct class_rule, active_to) == offsetof(struct class_rule, active_from) + sizeof(int),
               "option \"active\" writes both");

static const struct option_word auto_zero[] = {{"auto", 0}, {NULL, 0}};
static const struct option_word by_calibration[] = {{"calibration", LEVEL_CALIBRATED}, {NULL, 0}};
static const struct option_word by_model[] = {{"model", 0}, {NULL, 0}};
static const struct option_word own_context[] = {{"model", -1}, {NULL, 0}};
static const struct option_word own_threshold[] = {{"model", -1}, {NULL, 0}};
static const struct option_word off_zero[] = {{"off", 0}, {NULL, 0}};
static const struct option_word by_default[] = {{"default", -1}, {NULL, 0}};
static const struct option_word always[] = {{"always", -1}, {NULL, 0}};
static const struct option_word class_modes[] = {
    {"default", CLASS_DEFAULT}, {"allow", CLASS_ALLOW}, {"ignore", CLASS_IGNORE}, {NULL, 0}};
static const struct option_word vocabularies[] = {{"own", VOCABULARY_OWN}, {"earshot", VOCABULARY_EARSHOT}, {NULL, 0}};
static const struct option_word records[] = {
    {"off", CLIPS_OFF}, {"sounds", CLIPS_SOUNDS}, {"all", CLIPS_ALL}, {NULL, 0}};
static const struct option_word clip_formats[] = {{"flac", 0}, {"wav", 1}, {NULL, 0}};
static const struct option_word speech_modes[] = {
    {"drop", SPEECH_DROP}, {"features", SPEECH_FEATURES}, {"keep", SPEECH_KEEP}, {NULL, 0}};
static const struct option_word mqtt_versions[] = {{"auto", 0}, {"5", 5}, {"3.1.1", 3}, {NULL, 0}};
static const struct option_word log_levels[] = {{"error", 0}, {"warn", 0}, {"info", 0}, {"debug", 0}, {NULL, 0}};
static const struct option_word log_formats[] = {{"auto", 0}, {"text", 0}, {"json", 0}, {"journal", 0}, {NULL, 0}};

static const struct option_word choice_types[] = {
    {"start", CHOICE_START}, {"end", CHOICE_END}, {"both", CHOICE_BOTH}, {NULL, 0}};
static const struct option_word groups[] = {{"alarm", 0},     {"animal", 0},  {"human", 0},
                                            {"household", 0}, {"vehicle", 0}, {"nature", 0},
                                            {"tool", 0},      {"music", 0},   {NULL, 0}};

const struct section sections[] = {
    {"input", "Where sound comes from."},
    {"gate", "When something is loud enough to be looked at. `earshot levels` shows the figures that these act on."},
    {"model", "What recognises sounds."},
    {"decision", "When scores become an event. A class of its own rules has a [class NAME] section."},
    {"mqtt", "The broker that events go to. A broker that is absent is tried again, for ever. The password never "
             "stands in this file: see password_file, or hand it over as the systemd credential mqtt-password or in "
             "the environment variable EARSHOT_MQTT_PASSWORD."},
    {"level",
     "The sound level meter: A, C and Z weighting, Fast and Slow after IEC 61672-1. Until it is calibrated (`earshot "
     "calibrate`, or sensitivity below) its figures are dBFS: right among themselves, but not those of a room."},

    {"clips",
     "Recordings of what was heard, off by default. `sounds` keeps a file of each event that is asked for; `all` keeps "
     "everything the microphone hears, one file after the other, to try other models on. A file in which somebody "
     "talks is not kept unless `speech` says so."},
    {"homeassistant",
     "Home Assistant, which finds this box through the broker of [mqtt]. Alarms appear there enabled, other sounds "
     "are there to be enabled; messages that are late or tests do not ring."},
    {"web",
     "The page that shows what is heard, and the API under it: http://127.0.0.1:8765/ unless set otherwise. This "
     "machine alone reaches it. For others, such as a phone, set `listen` and a token; the token never stands in this "
     "file: see token_file, or hand it over as the systemd credential web-token or in the environment variable "
     "EARSHOT_WEB_TOKEN. A port that is taken is tried again."},
    {"state", "What earshot remembers between two runs."},
    {"history",
     "What was heard, and what is not sent yet: the database history.db in the state directory. Of each event it "
     "keeps what the model's last layer but one said of it (256 numbers, no sound), so that the model can be "
     "taught from it."},
    {"log", "What is said, and how."},
    {"class", "Rules of one class, NAME as the model calls it (`earshot model show MODEL` lists them). What is left "
              "out is as in [decision]. The section may stand once for each class."},
    {"action",
     "A program that is run when something is heard; NAME is for the log. The section may stand once for each "
     "action. Sounds that are held back (cooldown, active hours) run nothing."},
    {"webhook", "An address that an event is sent to by HTTP POST; NAME is for the log. The section may stand once for "
                "each. What cannot be delivered waits in the outbox and is tried again."},
    {NULL, NULL},
};

const struct option options[] = {
    {"input", "device", OPTION_TEXT, AT(input.device), 0, 0, "", NULL, "default", false,
     "Microphone: its name, a part of the name, or its number (`earshot devices` lists them); `default` is the sound "
     "system's own choice. `file:PATH` plays a recording at the pace of a microphone, `-` reads raw signed 16-bit "
     "little-endian samples from standard input."},
    {"input", "rate", OPTION_INT, AT(input.rate), 4000, 384000, "Hz", auto_zero, "auto", false,
     "Samples a second. `auto` is the device's own rate (16000 Hz for standard input)."},
    {"input", "channels", OPTION_INT, AT(input.channels), 1, 64, "", auto_zero, "auto", false,
     "Channels to open. `auto` is as many as `channel` needs, and for a mix of standard input 1."},
    {"input", "channel", OPTION_CHANNEL, AT(input.channel), 1, 64, "", NULL, "mix", false,
     "The channel to listen to, or `mix` for the mean of all. A pair in opposite phase cancels in a mix: choose one."},
    {"input", "gain_db", OPTION_NUMBER, AT(input.gain_db), -60, 60, "dB", NULL, "0 dB", false,
     "Gain for what comes in. It lifts the noise as much as the sound: set the microphone's own first (alsamixer)."},
    {"input", "listening", OPTION_BOOL, AT(input.listening), 0, 0, "", NULL, "on", true,
     "Whether it listens. The command `listening` changes it while the daemon runs, and keeps it off over a restart "
     "where asked."},
    {"input", "latency", OPTION_NUMBER, AT(input.latency_ms), 1, 2000, "ms", auto_zero, "auto", false,
     "Latency to ask of the sound system. A larger one wakes the processor less often."},

    {"gate", "threshold", OPTION_THRESHOLD, AT(gate.threshold), 0, 0, "", NULL, "auto+12 dB", true,
     "The level at which a sound begins. `auto+12 dB` is that much above the noise floor, which is tracked; `-40 dBFS` "
     "or a linear RMS such as `0.03` stay where they are; `off` keeps the gate open."},
    {"gate", "hysteresis", OPTION_NUMBER, AT(gate.hysteresis_db), 0, 40, "dB", NULL, "6 dB", true,
     "The gate closes this far below the level that opens it."},
    {"gate", "hold", OPTION_NUMBER, AT(gate.hold_s), 0, 60, "s", NULL, "0.5 s", true,
     "It has to be quieter than that for this long before the gate closes."},
    {"gate", "preroll", OPTION_NUMBER, AT(gate.preroll_s), 0, 5, "s", NULL, "0.25 s", true,
     "Audio from before the opening that belongs to the sound."},
    {"gate", "min_duration", OPTION_NUMBER, AT(gate.min_duration_s), 0, 10, "s", NULL, "0.05 s", true,
     "Shorter sounds are dropped and counted."},
    {"gate", "highpass", OPTION_NUMBER, AT(gate.highpass_hz), 5, 1000, "Hz", off_zero, "40 Hz", true,
     "Rumble below this does not open the gate, nor does the DC offset of a cheap sound card. The model hears it all "
     "the same."},

    {"model", "file", OPTION_PATH, AT(model.file), 0, 0, "", NULL, "earshot-s", true,
     "Model by name or path. A name is looked for in $EARSHOT_MODELS, in ../models beside the program's folder, and in "
     "PREFIX/share/earshot/models."},
    {"model", "window", OPTION_NUMBER, AT(model.window), 0.1, 30, "s", by_model, "model", false,
     "Length of audio that is judged at a time. The model fixes it: any other value is refused at start."},
    {"model", "hop", OPTION_NUMBER, AT(model.hop), 0.05, 30, "s", NULL, "0.5 s", false,
     "From one window to the next. Not longer than the window."},
    {"model", "vocabulary", OPTION_CHOICE, AT(model.vocabulary), 0, 0, "", vocabularies, "own", false,
     "Whose names sounds have: the model's `own`, or `earshot`'s. With the latter a model of AudioSet's sounds answers "
     "with "
     "those of labels.csv, which lies beside the models; what means none of them is left out (`earshot model labels "
     "MODEL` "
     "shows both)."},
    {"model", "taught", OPTION_BOOL, AT(model.taught), 0, 0, "", NULL, "on", true,
     "Whether what the box was taught (`earshot teach`, `earshot label`) counts beside what the model knows."},
    {"model", "keep_examples", OPTION_BOOL, AT(model.keep_examples), 0, 0, "", NULL, "on", true,
     "Keep the sounds that a sound is taught from, up to 15 s of each and 200 MB in all, in the folder examples of the "
     "state directory: from these it is learned anew when the model is replaced by a new version. `earshot teach "
     "forget` takes them away. `off`: sounds taught from then on have to be taught again then."},

    {"decision", "threshold", OPTION_NUMBER, AT(decision.threshold), 0, 1, "", own_threshold, "model", true,
     "Score that a class must reach. `model` is each class's own, from the model file."},
    {"decision", "confirm", OPTION_INT, AT(decision.confirm), 1, 20, "", NULL, "2", true,
     "Windows in a row that must reach it. Alarms need one, whatever stands here: their own [class NAME] section "
     "changes that."},
    {"decision", "context", OPTION_NUMBER, AT(decision.context), 0, 10, "s", own_context, "model", true,
     "Windows of this long are judged together with the newest one: their mean may reach the threshold where one "
     "window "
     "falls short. 0 s: each on its own. `model` is what the model file asks for, else 1.5 s."},
    {"decision", "release", OPTION_NUMBER, AT(decision.release), 0, 600, "s", NULL, "3 s", true,
     "A class is over when it has been below its closing threshold for this long."},
    {"decision", "cooldown", OPTION_NUMBER, AT(decision.cooldown), 0, 86400, "s", NULL, "0 s", true,
     "For this long after a notified event, further ones of the class are not notified. State, log and `classify` see "
     "them all the same."},
    {"decision", "close_ratio", OPTION_NUMBER, AT(decision.close_ratio), 0.05, 1, "", NULL, "0.6", true,
     "Closing threshold as a part of the opening one."},
    {"decision", "late_after", OPTION_NUMBER, AT(decision.late_after), 1, 86400, "s", NULL, "30 s", false,
     "An event that is told more than this after it began is marked as late."},
    {"decision", "unknown", OPTION_BOOL, AT(decision.unknown), 0, 0, "", NULL, "off", true,
     "Publish sounds in which no class was sure, as `unknown`. They are logged in any case."},
    {"decision", "allow", OPTION_LABELS, 0, 0, CLASS_ALLOW, CLASS_ALLOW, "", NULL, "", true,
     "Classes that make events; with this, no other class does. Commas between them, or the line again for each."},
    {"decision", "ignore", OPTION_LABELS, 0, 0, CLASS_IGNORE, CLASS_IGNORE, "", NULL, "", true,
     "Classes that make no events. Commas between them, or the line again for each."},

    {"mqtt", "enabled", OPTION_BOOL, AT(mqtt.enabled), 0, 0, "", NULL, "on", false, "Publish to a broker."},
    {"mqtt", "host", OPTION_HOST, AT(mqtt.host), 0, 0, "", NULL, "localhost", false, "Name or address of the broker."},
    {"mqtt", "port", OPTION_INT, AT(mqtt.port), 1, 65535, "", NULL, "1883", false, "Its port; with TLS mostly 8883."},
    {"mqtt", "username", OPTION_TEXT, AT(mqtt.username), 0, 0, "", NULL, "", false, "Empty: log in without a name."},
    {"mqtt", "password_file", OPTION_PATH, AT(mqtt.password_file), 0, 0, "", NULL, "", false,
     "File whose first line is the password. The service must be able to read it, and nobody else should."},
    {"mqtt", "node", OPTION_TEXT, AT(mqtt.node), 0, 0, "", NULL, "", false,
     "Name of this box in topics; other characters than A-Z, a-z, 0-9, _ and - become a -. Empty: the host name."},
    {"mqtt", "base", OPTION_TOPIC, AT(mqtt.base), 0, 0, "", NULL, "earshot", false,
     "Topics begin with this and the node: earshot/NODE/event."},
    {"mqtt", "tls", OPTION_BOOL, AT(mqtt.tls), 0, 0, "", NULL, "off", false,
     "Encrypt the connection and check the broker's certificate and name."},
    {"mqtt", "ca_file", OPTION_PATH, AT(mqtt.ca_file), 0, 0, "", NULL, "", false,
     "Certificates (PEM) that the broker's is checked against. Empty: the system's own."},
    {"mqtt", "cert_file", OPTION_PATH, AT(mqtt.cert_file), 0, 0, "", NULL, "", false,
     "Own certificate (PEM), where the broker asks for one."},
    {"mqtt", "key_file", OPTION_PATH, AT(mqtt.key_file), 0, 0, "", NULL, "", false, "Key (PEM) of that certificate."},
    {"mqtt", "version", OPTION_CHOICE, AT(mqtt.version), 0, 0, "", mqtt_versions, "auto", false,
     "Protocol. `auto` is 5, and 3.1.1 with a broker that does not speak 5."},
    {"mqtt", "keepalive", OPTION_INT, AT(mqtt.keepalive), 5, 3600, "s", NULL, "30 s", false,
     "Longest silence on the connection. A dead one is noticed after one and a half of it."},
    {"mqtt", "queue", OPTION_INT, AT(mqtt.queue), 32, 100000, "", NULL, "1000", false,
     "Events held while the broker is away. Beyond it the oldest updates go first, then the oldest starts and ends; "
     "what is dropped is counted, logged and published."},
    {"mqtt", "health_interval", OPTION_NUMBER, AT(mqtt.health_interval), 5, 86400, "s", NULL, "60 s", false,
     "From one message with the daemon's health to the next; changes of its state are told at once."},

    {"level", "enabled", OPTION_BOOL, AT(level.enabled), 0, 0, "", NULL, "on", false,
     "Measure sound levels. Without it the `level` message has the gate's figures alone."},
    {"level", "interval", OPTION_NUMBER, AT(level.interval), 1, 3600, "s", off_zero, "10 s", false,
     "Figures are published for so long each: LAeq is the average over it."},
    {"level", "history", OPTION_NUMBER, AT(level.keep), 10, 3600, "s", off_zero, "60 s", false,
     "Figures are kept in the history for so long each; `earshot noise` works on them. Shorter ones write more to the "
     "disk."},
    {"level", "sensitivity", OPTION_NUMBER, AT(level.sensitivity), -120, 0, "dBFS", by_calibration, "calibration", true,
     "What the microphone's data sheet says of it: its level at 94 dB and 1 kHz, where a full-scale sine is 0 dBFS; "
     "such as "
     "`-26 dBFS`. `calibration` is what `earshot calibrate` found for this input, and uncalibrated where it was never "
     "run."},
    {"level", "third_octave", OPTION_BOOL, AT(level.third_octave), 0, 0, "", NULL, "off", false,
     "Measure the spectrum in thirds of octaves too (IEC 61260-1, base 10, unweighted)."},
    {"level", "day", OPTION_HOURS, HOURS(level.day_from), 0, 1439, "", NULL, "07:00-19:00", true,
     "Local time of the day in noise reports (Lday)."},
    {"level", "evening", OPTION_HOURS, HOURS(level.evening_from), 0, 1439, "", NULL, "19:00-23:00", true,
     "Local time of the evening, whose sound counts 5 dB more in Lden. It begins where the day ends; the rest is "
     "night, 10 dB more."},

    {"clips", "record", OPTION_CHOICE, AT(clips.record), 0, 0, "", records, "off", false,
     "`sounds`: a file of each event of `classes`, with what came before it. `all`: everything the microphone hears "
     "while it "
     "listens, in files of `file_length`, without a sample missing between two of them."},
    {"clips", "classes", OPTION_TEXT, AT(clips.classes), 0, 0, "", NULL, "alarm", false,
     "Classes whose events are kept, commas between them; also groups of labels.csv: alarm, animal, human, household, "
     "vehicle, "
     "nature, tool. A word that is both names the class."},
    {"clips", "save_all", OPTION_BOOL, AT(clips.save_all), 0, 0, "", NULL, "off", false,
     "Keep the events of all classes, whatever `classes` says."},
    {"clips", "unknown", OPTION_BOOL, AT(clips.unknown), 0, 0, "", NULL, "off", false,
     "Keep sounds in which no class was sure, too."},
    {"clips", "format", OPTION_CHOICE, AT(clips.format), 0, 0, "", clip_formats, "flac", false,
     "16 bits, mono, at the microphone's own rate; FLAC takes about half the room of WAV, and loses nothing."},
    {"clips", "preroll", OPTION_NUMBER, AT(clips.preroll), 0, 10, "s", NULL, "2 s", false,
     "Sound from before the event's start that belongs to its file."},
    {"clips", "postroll", OPTION_NUMBER, AT(clips.postroll), 0, 10, "s", NULL, "0.5 s", false,
     "Sound from after the event's end that belongs to its file."},
    {"clips", "max_length", OPTION_NUMBER, AT(clips.max_length), 1, 3600, "s", NULL, "60 s", false,
     "A file of an event ends after this, its pre-roll included, however long the sound goes on."},
    {"clips", "file_length", OPTION_NUMBER, AT(clips.file_length), 1, 86400, "s", NULL, "600 s", false,
     "Length of the files of `record = all`."},
    {"clips", "speech", OPTION_CHOICE, AT(clips.speech), 0, 0, "", speech_modes, "drop", false,
     "What happens to a file in which speech (or laughter, playing children, ...) is heard, whatever class it is of. "
     "`drop`: "
     "it is not kept. `features`: only the model's embedding of each window is, a NumPy file from which no word can be "
     "made out. `keep`: it is kept like any other; others in the room may have a right to be asked. With `record = "
     "all` "
     "such stretches are silenced in the file."},
    {"clips", "speech_threshold", OPTION_NUMBER, AT(clips.speech_threshold), 0.01, 1, "", NULL, "0.2", false,
     "Score of speech in any window from which on it counts as heard: lower than that of an event, to be on the safe "
     "side."},
    {"clips", "dir", OPTION_PATH, AT(clips.dir), 0, 0, "", NULL, "", false,
     "Folder. Empty: `clips` in the state directory. Files in it that are not clips are left alone."},
    {"clips", "max_size", OPTION_NUMBER, AT(clips.max_size), 0.1, 10000000, "MB", NULL, "1000 MB", false,
     "All clips together are no larger. Beyond it the oldest clip of the class that takes up the most goes."},
    {"clips", "max_files", OPTION_INT, AT(clips.max_files), 1, 100000, "", NULL, "1000", false,
     "There are no more clips than this. Beyond it the oldest clip of the class with the most goes."},
    {"clips", "max_age", OPTION_NUMBER, AT(clips.max_age), 0.01, 36500, "days", off_zero, "30 days", false,
     "Clips older than this are deleted."},
    {"clips", "class_share", OPTION_NUMBER, AT(clips.class_share), 1, 100, "%", NULL, "40 %", false,
     "The most that one class may hold of `max_size` and of `max_files`: a dog that barks all day does not push out "
     "the alarm of "
     "last week."},

    {"homeassistant", "enabled", OPTION_BOOL, AT(homeassistant.enabled), 0, 0, "", NULL, "on", false,
     "Announce this box and its sounds to Home Assistant by MQTT discovery. Turned off, what was announced is taken "
     "back."},
    {"homeassistant", "discovery_prefix", OPTION_TOPIC, AT(homeassistant.prefix), 0, 0, "", NULL, "homeassistant",
     false, "Where Home Assistant looks, as set in its MQTT integration."},

    {"web", "enabled", OPTION_BOOL, AT(web.enabled), 0, 0, "", NULL, "on", false, "Serve the page."},
    {"web", "listen", OPTION_HOST, AT(web.listen), 0, 0, "", NULL, "127.0.0.1", false,
     "Address to listen on. `127.0.0.1` or `::1`: this machine alone. `::`: every network that it is in, or one of its "
     "addresses; that takes a token."},
    {"web", "port", OPTION_INT, AT(web.port), 1, 65535, "", NULL, "8765", false, "TCP port to listen on."},
    {"web", "token_file", OPTION_PATH, AT(web.token_file), 0, 0, "", NULL, "", false,
     "File with the token to sign in with, on one line of at least 16 characters (`openssl rand -base64 24` makes "
     "one). The service must be able to read it, and nobody else should. Empty: the systemd credential web-token or "
     "EARSHOT_WEB_TOKEN, where there is one, else no sign-in."},
    {"web", "tls_cert", OPTION_PATH, AT(web.tls_cert), 0, 0, "", NULL, "", false,
     "Certificate chain (PEM) to serve https with, together with tls_key. A renewed one is taken over within seconds."},
    {"web", "tls_key", OPTION_PATH, AT(web.tls_key), 0, 0, "", NULL, "", false,
     "Key (PEM) of tls_cert. The service must be able to read it, and nobody else should."},
    {"web", "allowed_hosts", OPTION_HOSTS, AT(web.allowed_hosts), 0, 0, "", NULL, "", false,
     "Names by which browsers may call this box, with commas between them, such as `earshot.example.org` behind a "
     "reverse proxy. Always allowed: localhost, the host name with and without .local, and the box's addresses. "
     "Requests for others are refused, so that no foreign web site can get at the page through its own name."},

    {"state", "dir", OPTION_PATH, AT(state.dir), 0, 0, "", NULL, "", false,
     "Folder. Empty: $STATE_DIRECTORY, /var/lib/earshot if it is there and can be written, $XDG_STATE_HOME/earshot, "
     "~/.local/state/earshot. The flag --state-dir and $STATE_DIRECTORY go before this."},

    {"history", "enabled", OPTION_BOOL, AT(history.enabled), 0, 0, "", NULL, "on", false,
     "Keep what was heard. `off`: only what is not sent yet is stored, until it is."},
    {"history", "keep", OPTION_NUMBER, AT(history.keep), 1, 36500, "days", off_zero, "365 days", false,
     "Events and sound levels go when they are older than this. `off`: never for their age."},
    {"history", "max_size", OPTION_NUMBER, AT(history.max_size), 1, 1000000, "MB", off_zero, "500 MB", false,
     "The oldest events and sound levels go when the file holds more than this. A thousand events take about 1.5 MB. "
     "`off`: no limit."},
    {"history", "outbox", OPTION_INT, AT(history.outbox), 100, 10000000, "", NULL, "100000", false,
     "Messages that may wait for one receiver that is away. Beyond it the oldest are lost, counted and told."},
    {"history", "outbox_age", OPTION_NUMBER, AT(history.outbox_age), 0.01, 36500, "days", off_zero, "30 days", false,
     "A message that could not be sent for so long is given up, counted and told. `off`: never for its age."},

    {"log", "level", OPTION_WORD, AT(log.level), 0, 0, "", log_levels, "info", true,
     "Least important lines that are written."},
    {"log", "format", OPTION_WORD, AT(log.format), 0, 0, "", log_formats, "auto", false,
     "How events are written. `auto` is `journal` (with fields that journalctl can select by) under systemd, else "
     "`text`; `json` is one object a line."},

    {"class", "threshold", OPTION_NUMBER, RULE(threshold), 0, 1, "", by_default, "default", true,
     "Score that the class must reach."},
    {"class", "confirm", OPTION_INT, RULE(confirm), 1, 20, "", by_default, "default", true,
     "Windows in a row that must reach it. `default` is 1 for alarms, else as in [decision]."},
    {"class", "release", OPTION_NUMBER, RULE(release_s), 0, 600, "s", by_default, "default", true,
     "Over when below the closing threshold for this long."},
    {"class", "cooldown", OPTION_NUMBER, RULE(cooldown_s), 0, 86400, "s", by_default, "default", true,
     "For this long after a notified event, further ones are not notified."},
    {"class", "active", OPTION_HOURS, RULE_HOURS, 0, 1439, "", always, "always", true,
     "Local time of day in which the class is notified, such as `22:00-07:00`."},
    {"class", "mode", OPTION_CHOICE, RULE(mode), 0, 0, "", class_modes, "default", true,
     "`allow` and `ignore` put the class on the list of that name in [decision]."},

    {"action", "exec", OPTION_COMMAND, ACTION(exec), 0, 0, "", NULL, "", false,
     "The program by its absolute path, and its arguments. Blanks separate them; quotes (' or \") hold blanks "
     "together, a \\ "
     "takes the next character as it is. There is no shell: no variables, wildcards, pipes. The event is in the "
     "environment "
     "(EARSHOT_LABEL, EARSHOT_SCORE, ...) and as JSON on standard input; what the program writes goes to the log."},
    {"action", "label", OPTION_NAMES, ACTION(when.label), 0, 0, "", NULL, "", false,
     "Classes that it is for. Without label and group: all. Commas between them, or the line again for each."},
    {"action", "group", OPTION_NAMES, ACTION(when.group), 0, 0, "", groups, "", false,
     "Groups of classes that it is for, beside those of `label`; `earshot model labels` shows which class is in "
     "which."},
    {"action", "event", OPTION_CHOICE, ACTION(when.event), 0, 0, "", choice_types, "start", false,
     "When a sound begins, when it ends, or both."},
    {"action", "min_score", OPTION_NUMBER, ACTION(when.min_score), 0, 1, "", NULL, "0", false,
     "Only from this score on."},
    {"action", "cooldown", OPTION_NUMBER, ACTION(when.cooldown), 0, 86400, "s", NULL, "0 s", false,
     "For this long after the start of a sound of a class, further ones of that class are left out."},
    {"action", "rate", OPTION_INT, ACTION(when.rate), 1, 600, "", off_zero, "10", false,
     "At most so many in any minute; what is beyond it is left out, counted and logged."},
    {"action", "test", OPTION_BOOL, ACTION(when.test), 0, 0, "", NULL, "off", false, "Also for `earshot test`."},
    {"action", "late", OPTION_BOOL, ACTION(late), 0, 0, "", NULL, "off", false,
     "Also for events that are late (see [decision] late_after)."},
    {"action", "timeout", OPTION_NUMBER, ACTION(timeout), 0.1, 3600, "s", NULL, "30 s", false,
     "A program that takes longer is ended, and whatever it has started: by SIGTERM, and 2 s later by SIGKILL."},

    {"webhook", "url", OPTION_URL, HOOK(url), 0, 0, "", NULL, "", false,
     "The address. One that is a secret itself belongs into secret_file, and this stays empty."},
    {"webhook", "secret_file", OPTION_PATH, HOOK(secret_file), 0, 0, "", NULL, "", false,
     "File of lines that are headers (`Authorization: Bearer ...`), and a line with the address where `url` is empty. "
     "Empty: the systemd credential webhook-NAME, where there is one. The service must be able to read it, and nobody "
     "else "
     "should."},
    {"webhook", "ca_file", OPTION_PATH, HOOK(ca_file), 0, 0, "", NULL, "", false,
     "Certificates (PEM) that the server's is checked against. Empty: the system's own."},
    {"webhook", "body", OPTION_MESSAGE, HOOK(body), 0, 0, "", NULL, "", false,
     "What is sent: text with ${label}, ${score}, ${time}, ${source}, ${node} and other values of the event. Empty: "
     "the "
     "event as JSON."},
    {"webhook", "content_type", OPTION_TEXT, HOOK(content_type), 0, 0, "", NULL, "application/json", false,
     "The body's type. Values are made safe for application/json and application/x-www-form-urlencoded."},
    {"webhook", "label", OPTION_NAMES, HOOK(when.label), 0, 0, "", NULL, "", false,
     "Classes that it is for. Without label and group: all. Commas between them, or the line again for each."},
    {"webhook", "group", OPTION_NAMES, HOOK(when.group), 0, 0, "", groups, "", false,
     "Groups of classes that it is for, beside those of `label`; `earshot model labels` shows which class is in "
     "which."},
    {"webhook", "event", OPTION_CHOICE, HOOK(when.event), 0, 0, "", choice_types, "start", false,
     "When a sound begins, when it ends, or both."},
    {"webhook", "min_score", OPTION_NUMBER, HOOK(when.min_score), 0, 1, "", NULL, "0", false,
     "Only from this score on."},
    {"webhook", "cooldown", OPTION_NUMBER, HOOK(when.cooldown), 0, 86400, "s", NULL, "0 s", false,
     "For this long after the start of a sound of a class, further ones of that class are left out."},
    {"webhook", "rate", OPTION_INT, HOOK(when.rate), 1, 600, "", off_zero, "60", false,
     "At most so many in any minute; what is beyond it is left out, counted and logged."},
    {"webhook", "test", OPTION_BOOL, HOOK(when.test), 0, 0, "", NULL, "off", false, "Also for `earshot test`."},
    {"webhook", "timeout", OPTION_NUMBER, HOOK(timeout), 1, 300, "s", NULL, "10 s", false,
     "Longest time that one attempt may take."},
    {"webhook", "max_age", OPTION_NUMBER, HOOK(max_age), 10, 2592000, "s", NULL, "24 h", false,
     "What could not be delivered for this long is given up, and logged. 5 min suits what makes a telephone ring."},
    {0},
};

const struct option *option_find(const char *section, const char *name)
{
    for (const struct option *o = options; o->section; o++)
        if (strcmp(o->section, section) == 0 && strcmp(o->name, name) == 0)
            return o;
    return NULL;
}
