#include "model/policy.h"

#include <string.h>
#include <time.h>

bool label_is_silence(const char *label)
{
    return strcmp(label, "background") == 0 || strcmp(label, "unknown") == 0;
}

bool label_is_alarm(const char *label)
{
    /* AudioSet's names for the same stand beside those of our own models. Not the alarms of a clock or a car:
     * those go on long enough to be confirmed. */
    static const char *const alarms[] = {
        "smoke_alarm",    "co_alarm",
        "fire_alarm",     "smoke_detector_smoke_alarm",
        "siren",          "civil_defense_siren",
        "gun_shot",       "gunshot_gunfire",
        "glass_breaking",
    };

    for (size_t i = 0; i < sizeof alarms / sizeof *alarms; i++)
        if (strcmp(label, alarms[i]) == 0)
            return true;
    return false;
}

bool policy_allow_list(const struct decision_params *p, const char *const *labels, size_t n_labels)
{
    for (size_t r = 0; r < p->n_rules; r++)
        for (size_t i = 0; i < n_labels; i++)
            if (p->rules[r].mode == CLASS_ALLOW && strcmp(p->rules[r].label, labels[i]) == 0)
                return true;
    return false;
}

static void apply_rule(struct policy *out, const struct class_rule *rule)
{
    if (rule->threshold >= 0) /* false for NaN */
        out->threshold = rule->threshold;
    if (rule->confirm > 0)
        out->confirm = (unsigned)rule->confirm;
    if (rule->release_s >= 0)
        out->release_s = rule->release_s;
    if (rule->cooldown_s >= 0)
        out->cooldown_s = rule->cooldown_s;
    if (rule->active_from >= 0 && rule->active_to >= 0) {
        out->active_from = rule->active_from;
        out->active_to = rule->active_to;
    }
}

int policy_make(struct policy *out, const char *label, float threshold, const struct decision_params *p,
                bool allow_list, struct err *err)
{
    int mode = CLASS_DEFAULT;

    if (!(threshold >= 0 && threshold <= 1))
        return err_set(err, "class %s: threshold %g in the model, allowed is 0 to 1", label, (double)threshold);
    *out = (struct policy){.threshold = p->threshold > 0 ? (float)p->threshold : threshold,
                           .confirm = label_is_alarm(label) || p->confirm < 1 ? 1 : (unsigned)p->confirm,
                           .release_s = p->release_s,
                           .cooldown_s = p->cooldown_s,
                           .active_from = -1,
                           .active_to = -1};
    for (size_t r = 0; r < p->n_rules; r++) {
        if (strcmp(p->rules[r].label, label) != 0)
            continue;
        apply_rule(out, &p->rules[r]);
        if (p->rules[r].mode != CLASS_DEFAULT)
            mode = p->rules[r].mode;
    }
    out->closing = (float)(out->threshold * p->close_ratio);
    out->silent = label_is_silence(label) || mode == CLASS_IGNORE || (allow_list && mode != CLASS_ALLOW);
    return 0;
}

bool policy_active(const struct policy *p, int64_t utc_ns)
{
    time_t s = (time_t)(utc_ns / 1000000000);
    struct tm tm;

    if (p->active_from < 0 || p->active_from == p->active_to || !localtime_r(&s, &tm))
        return true;
    int now = tm.tm_hour * 60 + tm.tm_min;
    if (p->active_from < p->active_to)
        return now >= p->active_from && now < p->active_to;
    return now >= p->active_from || now < p->active_to;
}
