#include "teach/logistic.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 30, HALVINGS = 12, BLOCK = 64, TILE = 8 };

struct fit {
    const struct logistic *p;
    float *scaled;   /* [BLOCK][stride] */
    float *w;        /* [stride] */
    double *hessian; /* [stride][stride], upper half */
    double *gradient, *step, *try;
};

size_t logistic_stride(size_t m)
{
    return (m + TILE - 1) / TILE * TILE;
}

static float dot(const float *a, const float *b, size_t n)
{
    float lane[TILE] = {0}, sum = 0;

    for (size_t i = 0; i < n; i += TILE)
        for (size_t k = 0; k < TILE; k++)
            lane[k] += a[i + k] * b[i + k];
    for (size_t k = 0; k < TILE; k++)
        sum += lane[k];
    return sum;
}

/* hessian += scaled^T scaled of one block of rows, upper half of tiles. */
static void add_block(struct fit *f)
{
    size_t s = f->p->stride;

    for (size_t i = 0; i < s; i += 4)
        for (size_t k = i / TILE * TILE; k < s; k += TILE) {
            float sum[4][TILE] = {{0}};
            for (size_t r = 0; r < BLOCK; r++) {
                const float *row = f->scaled + r * s;
                for (size_t a = 0; a < 4; a++)
                    for (size_t b = 0; b < TILE; b++)
                        sum[a][b] += row[i + a] * row[k + b];
            }
            for (size_t a = 0; a < 4; a++)
                for (size_t b = 0; b < TILE; b++)
                    f->hessian[(i + a) * s + k + b] += (double)sum[a][b];
        }
}

static double log1pexp(double z)
{
    return z > 30 ? z : z < -30 ? 0 : log1p(exp(z));
}

static void narrow(struct fit *f, const double *w)
{
    for (size_t k = 0; k < f->p->stride; k++)
        f->w[k] = k < f->p->m ? (float)w[k] : 0;
}

static double penalty(const struct logistic *p, const double *w)
{
    double sum = 0;

    for (size_t k = 0; k + 1 < p->m; k++)
        sum += w[k] * w[k];
    return 0.5 * p->ridge * sum;
}

static double loss(struct fit *f, const double *w)
{
    const struct logistic *p = f->p;
    double sum = penalty(p, w);

    narrow(f, w);
    for (size_t i = 0; i < p->n; i++)
        if (p->weight[i] > 0) {
            double z = (double)dot(p->x + i * p->stride, f->w, p->stride);
            sum += (double)p->weight[i] * (log1pexp(z) - (double)p->y[i] * z);
        }
    return sum;
}

static void derive(struct fit *f, const double *w)
{
    const struct logistic *p = f->p;
    size_t s = p->stride, filled = 0;

    narrow(f, w);
    memset(f->hessian, 0, s * s * sizeof *f->hessian);
    for (size_t k = 0; k < p->m; k++)
        f->gradient[k] = k + 1 < p->m ? p->ridge * w[k] : 0;
    for (size_t i = 0; i < p->n; i++) {
        const float *x = p->x + i * s;
        if (!(p->weight[i] > 0))
            continue;
        double z = (double)dot(x, f->w, s), q = 1 / (1 + exp(-z));
        double g = (double)p->weight[i] * (q - (double)p->y[i]);
        float h = (float)sqrt((double)p->weight[i] * fmax(q * (1 - q), 1e-7));
        for (size_t k = 0; k < p->m; k++)
            f->gradient[k] += g * (double)x[k];
        for (size_t k = 0; k < s; k++)
            f->scaled[filled * s + k] = h * x[k];
        if (++filled == BLOCK) {
            add_block(f);
            filled = 0;
        }
    }
    memset(f->scaled + filled * s, 0, (BLOCK - filled) * s * sizeof *f->scaled);
    add_block(f);
    for (size_t k = 0; k < p->m; k++)
        f->hessian[k * s + k] += (k + 1 < p->m ? p->ridge : 0) + 1e-9;
}

/* step = hessian^-1 gradient, by Cholesky's decomposition in place (upper half: hessian = U^T U). */
static bool solve(struct fit *f)
{
    size_t m = f->p->m, s = f->p->stride;
    double *u = f->hessian, *x = f->step;

    for (size_t i = 0; i < m; i++) {
        if (!(u[i * s + i] > 0))
            return false;
        double d = sqrt(u[i * s + i]);
        for (size_t k = i; k < m; k++)
            u[i * s + k] /= d;
        for (size_t r = i + 1; r < m; r++) {
            double a = u[i * s + r];
            for (size_t k = r; k < m; k++)
                u[r * s + k] -= a * u[i * s + k];
        }
    }
    for (size_t i = 0; i < m; i++) {
        double v = f->gradient[i];
        for (size_t k = 0; k < i; k++)
            v -= u[k * s + i] * x[k];
        x[i] = v / u[i * s + i];
    }
    for (size_t i = m; i-- > 0;) {
        double v = x[i];
        for (size_t k = i + 1; k < m; k++)
            v -= u[i * s + k] * x[k];
        x[i] = v / u[i * s + i];
    }
    return true;
}

/* One step; false: none makes it better, or the last one was hardly any. */
static bool improve(struct fit *f, double *w, double *now)
{
    size_t m = f->p->m;
    double share = 1;
    const double before = *now;

    derive(f, w);
    if (!solve(f))
        return false;
    for (int i = 0; i < HALVINGS; i++) {
        for (size_t k = 0; k < m; k++)
            f->try[k] = w[k] - share * f->step[k];
        double next = loss(f, f->try);
        if (next < *now) {
            *now = next;
            memcpy(w, f->try, m * sizeof *w);
            return before - next > 1e-5 * before;
        }
        share /= 2;
    }
    return false;
}

int logistic_fit(const struct logistic *p, double *w)
{
    size_t s = p->stride;
    struct fit f = {.p = p,
                    .scaled = malloc(BLOCK * s * sizeof *f.scaled),
                    .w = calloc(s, sizeof *f.w),
                    .hessian = malloc(s * s * sizeof *f.hessian),
                    .gradient = malloc(s * sizeof *f.gradient),
                    .step = malloc(s * sizeof *f.step),
                    .try = malloc(s * sizeof *f.try)};
    bool memory = f.scaled && f.w && f.hessian && f.gradient && f.step && f.try;

    if (memory) {
        double now = loss(&f, w);
        for (int i = 0; i < STEPS && improve(&f, w, &now); i++)
            ;
    }
    free(f.scaled);
    free(f.w);
    free(f.hessian);
    free(f.gradient);
    free(f.step);
    free(f.try);
    return memory ? 0 : -1;
}
