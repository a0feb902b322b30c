#include "daemon/plot/plot.h"

double sound_plot_step(double seconds, int most)
{
    static const double steps[] = {0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5,  1,    2,   5,
                                   10,    15,    30,    60,   120,  300,  600, 900, 1800, 3600, 7200};
    size_t n = sizeof steps / sizeof *steps;

    for (size_t i = 0; i < n; i++)
        if (seconds / steps[i] <= most)
            return steps[i];
    return steps[n - 1] * (double)(int)(seconds / steps[n - 1] / most + 1);
}

void sound_plot_time(double seconds, double step, char *out, size_t size)
{
    int whole = (int)(seconds + 0.5);

    if (step < 1)
        snprintf(out, size, "%.*f s", step < 0.01 ? 3 : step < 0.1 ? 2 : 1, seconds);
    else if (whole < 60)
        snprintf(out, size, "%d s", whole);
    else if (whole < 3600)
        snprintf(out, size, "%d:%02d", whole / 60, whole % 60);
    else
        snprintf(out, size, "%d:%02d:%02d", whole / 3600, whole / 60 % 60, whole % 60);
}
