#include "daemon/evaluate_stream_choose.h"

#include "daemon/evaluate_stream_setup.h"
#include "model/policy.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void choose_labels(struct streams_result *r, double lowest)
{
    for (size_t i = 0; i < r->n_own; i++) {
        bool kept;
        if (label_is_silence(r->labels[i]))
            continue;
        r->choices[i] = CHOICE_NO_SOUND;
        if (r->sweep.events[i].all == 0)
            continue;
        r->chosen[i] = sweep_choose(&r->sweep, i, r->budget, lowest, &kept);
        r->choices[i] = kept ? CHOICE_KEPT : CHOICE_OVER;
    }
}

/* member: [n_labels], scratch. */
static void choose_group(struct streams_result *r, struct stream_group *g, double lowest, bool *member)
{
    double kept_per_h = 0; /* false alarms of labels that keep their thresholds */

    memset(member, 0, r->n_labels * sizeof *member);
    for (size_t i = 0; i < r->n_own; i++) {
        if (!g->member[i] || label_is_silence(r->labels[i]))
            continue;
        member[i] = r->sweep.events[i].all > 0;
        if (!member[i])
            kept_per_h += stream_per_hour(r, (double)r->all.outcomes.told[i].false_alarms);
    }
    g->spent = sweep_choose_group(&r->sweep, member, g->budget - kept_per_h, lowest, r->chosen) + kept_per_h;
    for (size_t i = 0; i < r->n_own; i++) {
        if (member[i])
            r->choices[i] = isnan(g->spent) ? CHOICE_OVER : CHOICE_KEPT;
        else if (g->member[i] && !label_is_silence(r->labels[i]))
            r->choices[i] = CHOICE_NO_SOUND;
    }
}

/* One line with the labels of that kind, none where there are none. -1: no memory. */
static int tell(const struct streams_result *r, enum stream_choice which, const char *text)
{
    char *line = NULL;
    size_t size, n = 0;
    FILE *f = open_memstream(&line, &size);

    if (!f)
        return -1;
    fputs(text, f);
    for (size_t i = 0; i < r->n_own; i++)
        if (r->choices[i] == which)
            fprintf(f, "%s%s", n++ ? ", " : ": ", r->labels[i]);
    if (fclose(f) != 0)
        n = 0;
    if (n)
        stream_complain(line);
    free(line);
    return 0;
}

int stream_choose(struct streams_result *r, const struct evaluate_streams *what)
{
    bool *member = calloc(r->n_labels + 1, sizeof *member);

    r->budget = what->budget;
    r->chosen = calloc(r->n_labels + 1, sizeof *r->chosen);
    r->choices = calloc(r->n_labels + 1, sizeof *r->choices);
    if (!member || !r->chosen || !r->choices) {
        free(member);
        return cmd_fail(EXIT_FAILED, EVALUATE, "no memory");
    }
    r->choice = !isnan(r->budget);
    if (r->choice)
        choose_labels(r, what->lowest);
    for (size_t g = 0; g < r->n_groups; g++) {
        if (isnan(r->groups[g].budget))
            continue;
        choose_group(r, &r->groups[g], what->lowest, member);
        r->choice = true;
    }
    free(member);
    if (tell(r, CHOICE_NO_SOUND, "no threshold was chosen, since no sound of these labels is annotated") < 0 ||
        tell(r, CHOICE_OVER, "no threshold keeps the budget; that with the fewest false alarms was chosen") < 0)
        return cmd_fail(EXIT_FAILED, EVALUATE, "no memory");
    return EXIT_GOOD;
}
