/* What the gateway offers. Only what a filter calls is imported by its module. */
#include "internal.h"

TG_IMPORT("log", "write") void log_write(int level, const char *text, size_t length, const tg_name_value *attributes, size_t count);

void tg_log(tg_log_level level, tg_text message) { log_write(level, message.data, message.length, NULL, 0); }

void tg_log_with(tg_log_level level, tg_text message, const tg_name_value *attributes, size_t count) {
    log_write(level, message.data, message.length, attributes, count);
}

TG_IMPORT("clock", "now") uint64_t clock_now(void);
TG_IMPORT("clock", "monotonic") uint64_t clock_monotonic(void);
uint64_t tg_now(void) { return clock_now(); }
uint64_t tg_monotonic(void) { return clock_monotonic(); }

TG_IMPORT("random", "get-u64") uint64_t random_number(void);
TG_IMPORT("random", "get-bytes") void random_bytes(uint32_t count, tg_text *result);
uint64_t tg_random_number(void) { return random_number(); }

tg_text tg_random_bytes(uint32_t count) {
    tg_text bytes;
    random_bytes(count, &bytes);
    return bytes;
}

/* `option<list<u8>>`, and what else is a case and a text. */
typedef struct {
    uint8_t kind;
    tg_text text;
} option;

TG_IMPORT("secrets", "get") void secrets_get(const char *name, size_t length, option *result);

tg_text tg_secret(const char *name) {
    option secret;
    secrets_get(name, strlen(name), &secret);
    return secret.kind ? secret.text : (tg_text){ 0 };
}

/* ---- limiter ---- */

TG_IMPORT("limiter", "take")
void limiter_take(const char *key, size_t length, uint32_t requests, uint64_t period_ms, uint32_t burst, uint32_t cost, tg_decision *result);

tg_decision tg_limit_take(tg_text key, tg_limit limit, uint32_t cost) {
    tg_decision decision;
    limiter_take(key.data, key.length, limit.requests, limit.period_ms, limit.burst, cost, &decision);
    return decision;
}

/* ---- metrics ---- */

TG_IMPORT("metrics", "define")
void metrics_define(int kind, const char *name, size_t name_length, const char *help, size_t help_length, const tg_text *labels,
                    size_t label_count, const double *buckets, size_t bucket_count, void *result);
TG_IMPORT("metrics", "get") tg_series metrics_get(tg_metric metric, const tg_text *values, size_t count);
TG_IMPORT("metrics", "add") void metrics_add(tg_series series, uint64_t amount);
TG_IMPORT("metrics", "set") void metrics_set(tg_series series, double value);
TG_IMPORT("metrics", "adjust") void metrics_adjust(tg_series series, double by);
TG_IMPORT("metrics", "observe") void metrics_observe(tg_series series, double value);

tg_result tg_metric_define(tg_metric_kind kind, tg_text name, tg_text help, const tg_text *labels, size_t label_count,
                           const double *buckets, size_t bucket_count, tg_metric *metric) {
    struct {
        uint8_t is_error;
        union {
            tg_metric metric;
            option error;
        };
    } result;
    metrics_define(kind, name.data, name.length, help.data, help.length, labels, label_count, buckets, bucket_count, &result);
    if (result.is_error) {
        tg_log(TG_LOG_ERROR, result.error.kind == 2 ? TG("the policy has as many metrics as it may") : result.error.text);
        return TG_FAILED;
    }
    *metric = result.metric;
    return TG_OK;
}

tg_series tg_metric_series(tg_metric metric, const tg_text *values, size_t count) { return metrics_get(metric, values, count); }
void tg_metric_add(tg_series counter, uint64_t amount) { metrics_add(counter, amount); }
void tg_metric_set(tg_series gauge, double value) { metrics_set(gauge, value); }
void tg_metric_adjust(tg_series gauge, double by) { metrics_adjust(gauge, by); }
void tg_metric_observe(tg_series histogram, double value) { metrics_observe(histogram, value); }
