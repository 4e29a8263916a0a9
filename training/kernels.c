/* Normalisation and activation in one pass each, for bfloat16 channels-last maps on CPUs (loaded by kernels.py).
 *
 * Layout: x, y, dx, dy bfloat16 [n][pixels][c]; statistics float32 per sample and group; sums in float32.
 * group norm:  u = gamma (x - mean) rstd + beta;  y = u sigmoid(u), or u without activation.
 * geglu:       y = value gelu(gate), rows [value | gate] of 2 * hidden.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

#define MAX_CHANNELS 1024

typedef uint16_t bf16;

static inline float load(bf16 v) {
  uint32_t bits = (uint32_t)v << 16;
  float f;
  memcpy(&f, &bits, 4);
  return f;
}

static inline bf16 store(float f) { /* round to nearest even */
  uint32_t bits;
  memcpy(&bits, &f, 4);
  return (bf16)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

void group_norm_forward(const bf16 *x, const float *gamma, const float *beta, bf16 *y, float *mean, float *rstd,
                        long n, long pixels, long c, long groups, float eps, int activate) {
  long width = c / groups;
#pragma omp parallel for
  for (long i = 0; i < n; i++) {
    const bf16 *xi = x + i * pixels * c;
    bf16 *yi = y + i * pixels * c;
    float sum[MAX_CHANNELS] = {0}, square[MAX_CHANNELS] = {0}, a[MAX_CHANNELS], b[MAX_CHANNELS];
    for (long p = 0; p < pixels; p++)
      for (long k = 0; k < c; k++) {
        float v = load(xi[p * c + k]);
        sum[k] += v;
        square[k] += v * v;
      }
    for (long g = 0; g < groups; g++) {
      double s = 0, q = 0, count = (double)pixels * width;
      for (long k = g * width; k < (g + 1) * width; k++) s += sum[k], q += square[k];
      double m = s / count, variance = q / count - m * m;
      float r = (float)(1 / sqrt((variance > 0 ? variance : 0) + eps));
      mean[i * groups + g] = (float)m;
      rstd[i * groups + g] = r;
      for (long k = g * width; k < (g + 1) * width; k++) a[k] = gamma[k] * r, b[k] = beta[k] - (float)m * a[k];
    }
    if (activate) {
      for (long p = 0; p < pixels; p++)
        for (long k = 0; k < c; k++) {
          float u = a[k] * load(xi[p * c + k]) + b[k];
          yi[p * c + k] = store(u / (1 + expf(-u)));
        }
    } else {
      for (long p = 0; p < pixels; p++)
        for (long k = 0; k < c; k++) yi[p * c + k] = store(a[k] * load(xi[p * c + k]) + b[k]);
    }
  }
}

/* dgamma, dbeta: [n][c], to be summed over n by the caller. */
void group_norm_backward(const bf16 *x, const float *gamma, const float *beta, const bf16 *dy, const float *mean,
                         const float *rstd, bf16 *dx, float *dgamma, float *dbeta,
                         long n, long pixels, long c, long groups, int activate) {
  long width = c / groups;
#pragma omp parallel for
  for (long i = 0; i < n; i++) {
    const bf16 *xi = x + i * pixels * c, *dyi = dy + i * pixels * c;
    bf16 *dxi = dx + i * pixels * c;
    float *dg = dgamma + i * c, *db = dbeta + i * c;
    float a[MAX_CHANNELS], b[MAX_CHANNELS], s[MAX_CHANNELS] = {0}, q[MAX_CHANNELS] = {0};
    float p0[MAX_CHANNELS], p1[MAX_CHANNELS];
    for (long k = 0; k < c; k++) {
      float r = rstd[i * groups + k / width], m = mean[i * groups + k / width];
      a[k] = gamma[k] * r;
      b[k] = beta[k] - m * a[k];
    }
    for (long p = 0; p < pixels; p++)
      for (long k = 0; k < c; k++) {
        float v = load(xi[p * c + k]), du = load(dyi[p * c + k]);
        if (activate) {
          float u = a[k] * v + b[k], sigmoid = 1 / (1 + expf(-u));
          du *= sigmoid * (1 + u * (1 - sigmoid));
        }
        s[k] += du;
        q[k] += du * v;
        dxi[p * c + k] = store(du);
      }
    for (long g = 0; g < groups; g++) {
      float r = rstd[i * groups + g], m = mean[i * groups + g], sum = 0, dot = 0, count = (float)pixels * width;
      for (long k = g * width; k < (g + 1) * width; k++) {
        db[k] = s[k];
        dg[k] = (q[k] - m * s[k]) * r;
        sum += gamma[k] * db[k];
        dot += gamma[k] * dg[k];
      }
      for (long k = g * width; k < (g + 1) * width; k++) { /* dx = a du - (sum + xhat dot) rstd / count */
        p1[k] = -dot * r * r / count;
        p0[k] = -sum * r / count - p1[k] * m;
      }
    }
    for (long p = 0; p < pixels; p++)
      for (long k = 0; k < c; k++)
        dxi[p * c + k] = store(a[k] * load(dxi[p * c + k]) + p1[k] * load(xi[p * c + k]) + p0[k]);
  }
}

void geglu_forward(const bf16 *x, bf16 *y, long rows, long hidden) {
#pragma omp parallel for
  for (long r = 0; r < rows; r++) {
    const bf16 *value = x + 2 * r * hidden, *gate = value + hidden;
    for (long k = 0; k < hidden; k++) {
      float g = load(gate[k]);
      y[r * hidden + k] = store(load(value[k]) * 0.5f * g * (1 + erff(g * 0.70710678f)));
    }
  }
}

void geglu_backward(const bf16 *x, const bf16 *dy, bf16 *dx, long rows, long hidden) {
#pragma omp parallel for
  for (long r = 0; r < rows; r++) {
    const bf16 *value = x + 2 * r * hidden, *gate = value + hidden;
    bf16 *dvalue = dx + 2 * r * hidden, *dgate = dvalue + hidden;
    for (long k = 0; k < hidden; k++) {
      float g = load(gate[k]), d = load(dy[r * hidden + k]);
      float cdf = 0.5f * (1 + erff(g * 0.70710678f)), pdf = 0.39894228f * expf(-0.5f * g * g);
      dvalue[k] = store(d * g * cdf);
      dgate[k] = store(d * load(value[k]) * (cdf + g * pdf));
    }
  }
}
