/* SPDX-License-Identifier: Apache-2.0
 * The metrics page: sums over workers, in Prometheus' text form. No label ever comes from a request.
 * Role: /-/metrics. Trusts: counters. Distrusts: nothing is read here.
 * Spec: Prometheus text exposition format 0.0.4.
 */
#include "flow/flow_in.h"

static const char *const class_names[FLOW_CLASS__COUNT] = {"read", "write", "list", "config", "log", "other"};
static const char *const status_names[6] = {"cut", "1xx", "2xx", "3xx", "4xx", "5xx"};

static void counter(struct buf *out, const char *name, const char *help, uint64_t v)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s counter\n%s %llu\n", name, help, name, name, (unsigned long long)v);
}

void flow_metrics_text(struct buf *out, const struct flow_metrics *m, size_t workers, bool gate_up, bool keeper_up)
{
    struct flow_metrics sum = {0};
    for (size_t i = 0; i < workers; i++) {
        const uint64_t *from = (const uint64_t *)(const void *)&m[i];
        uint64_t *to = (uint64_t *)(void *)&sum;
        for (size_t k = 0; k < sizeof sum / sizeof *to; k++) to[k] += from[k];
    }
    buf_put_str(out, "# HELP tillit_front_requests_total Requests by operation class and status.\n"
                     "# TYPE tillit_front_requests_total counter\n");
    for (unsigned c = 0; c < FLOW_CLASS__COUNT; c++)
        for (unsigned s = 0; s < 6; s++)
            if (sum.requests[c][s])
                buf_printf(out, "tillit_front_requests_total{class=\"%s\",status=\"%s\"} %llu\n", class_names[c], status_names[s],
                           (unsigned long long)sum.requests[c][s]);
    counter(out, "tillit_front_body_bytes_in_total", "Bytes of request bodies.", sum.bytes_in);
    counter(out, "tillit_front_body_bytes_out_total", "Bytes of answer bodies.", sum.bytes_out);
    counter(out, "tillit_front_frames_bad_total", "Stored frames that did not verify.", sum.frames_bad);
    counter(out, "tillit_front_parked_total", "Requests that waited for a gate or keeper to come back.", sum.parked);
    counter(out, "tillit_front_asked_again_total", "Requests asked again after a restart.", sum.asked_again);
    counter(out, "tillit_front_held_total", "Requests that waited until their caller had room for them.", sum.held);
    counter(out, "tillit_front_grammar_refused_total", "Requests refused before anyone was asked.", sum.grammar);
    buf_printf(out, "# HELP tillit_front_peer_up Whether this worker's connection stands.\n# TYPE tillit_front_peer_up gauge\n"
                    "tillit_front_peer_up{peer=\"gate\"} %d\ntillit_front_peer_up{peer=\"keeper\"} %d\n", gate_up, keeper_up);
}
