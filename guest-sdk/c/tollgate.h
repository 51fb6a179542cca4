/*
 * The Tollgate SDK for C: everything that a filter can do.
 *
 * A filter is a file of C that defines `configure` and some of the hooks below, and is compiled together with the files of
 * this folder for wasm32-freestanding. Hooks that are not defined are not called and cost nothing. There is no C library;
 * what there is instead stands here.
 *
 * Memory. What is allocated in `configure` stays for as long as the filter does. What is allocated in a hook is gone when
 * the hook has answered, and so are the texts that a hook is given. What has to last from hook to hook of one exchange goes
 * into `tg_state`. Nothing has to be freed.
 */
#ifndef TOLLGATE_H
#define TOLLGATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- texts ---- */

/* Bytes, which need not be UTF-8 nor end with a zero. `data` is NULL where there is no text, which is not the same as an empty one. */
typedef struct {
    const char *data;
    size_t length;
} tg_text;

/* A literal as a text. */
#define TG(literal) ((tg_text){ (literal), sizeof(literal) - 1 })

/* A text up to its terminating zero. */
tg_text tg_text_of(const char *string);
/* Whether there is a text at all. */
static inline bool tg_is(tg_text text) { return text.data != NULL; }
bool tg_equal(tg_text one, tg_text other);
/* As `tg_equal`, in a time that tells nothing about where they differ: for secrets. */
bool tg_equal_secret(tg_text one, tg_text other);
bool tg_starts_with(tg_text text, tg_text prefix);
/* Where `part` begins in `text`, or -1. */
ptrdiff_t tg_find(tg_text text, tg_text part);
/* A part of a text; bounds beyond its end are its end. */
tg_text tg_slice(tg_text text, size_t from, size_t to);
/* Without white space at either end. */
tg_text tg_trim(tg_text text);
/* In lower case, terminated by a zero. */
tg_text tg_lower(tg_text text);
/* Decimal digits. */
tg_text tg_decimal(int64_t number);
/* Two hexadecimal digits a byte. */
tg_text tg_hex(tg_text bytes);
/* The SHA-256 digest of bytes (FIPS 180-4). */
void tg_sha256(tg_text bytes, uint8_t digest[32]);

/* Memory filled with zeros: never NULL, the filter faults where there is no more. */
void *tg_allocate(size_t size);

void *memcpy(void *restrict to, const void *restrict from, size_t length);
void *memmove(void *to, const void *from, size_t length);
void *memset(void *at, int byte, size_t length);
int memcmp(const void *one, const void *other, size_t length);
size_t strlen(const char *string);

/* A text that is put together piece by piece. Begins as `{ 0 }`. */
typedef struct {
    char *data;
    size_t length, capacity;
} tg_buffer;

void tg_append(tg_buffer *buffer, tg_text text);
/* Appends a text as JSON has it, with its quotes. */
void tg_append_json(tg_buffer *buffer, tg_text text);
static inline tg_text tg_buffer_text(const tg_buffer *buffer) {
    return (tg_text){ buffer->data ? buffer->data : "", buffer->length };
}

/* ---- JSON ---- */

typedef enum { TG_JSON_NONE, TG_JSON_NULL, TG_JSON_BOOL, TG_JSON_NUMBER, TG_JSON_STRING, TG_JSON_ARRAY, TG_JSON_OBJECT } tg_json_kind;

/* A value of JSON, where it stands in its text. */
typedef struct {
    tg_json_kind kind;
    tg_text text;
} tg_json;

/* Checks a whole text (RFC 8259), at most 64 levels deep; TG_JSON_NONE if it is not JSON. */
tg_json tg_json_parse(tg_text text);
/* A member of an object, the last of that name; TG_JSON_NONE if there is none. */
tg_json tg_json_get(tg_json object, const char *name);
/* Goes through an array or an object: `place` begins at 0; false at the end. `name` may be NULL. */
bool tg_json_next(tg_json container, size_t *place, tg_text *name, tg_json *value);
/* The text of a string, terminated by a zero; none of another kind. */
tg_text tg_json_string(tg_json value);
bool tg_json_bool(tg_json value, bool otherwise);
/* A whole number; `otherwise` if it is none or does not fit. */
int64_t tg_json_integer(tg_json value, int64_t otherwise);

/* ---- the life of a filter ---- */

/* What a configured filter wants. */
typedef struct tg_interest tg_interest;

/* Names facts that `on_request` will read: header fields in lower case, `:method`, `:path`, `:authority`, `:scheme`,
 * `@client-address`, `@consumer` …, as the interface (types.wit) lists them. At most 64. */
void tg_want_request(tg_interest *interest, const char *name);
/* Names facts that `on_response` will read, `:status` and `@request:NAME` among them. */
void tg_want_response(tg_interest *interest, const char *name);
/* Has `on_request_body` or `on_response_body` called once, with the whole body. */
void tg_want_whole_request_body(tg_interest *interest);
void tg_want_whole_response_body(tg_interest *interest);
/* Has `on_tick` called every so many milliseconds, at least 100. */
void tg_want_ticks(tg_interest *interest, uint32_t milliseconds);
/* How many bytes `tg_state` has for each exchange. */
void tg_want_state(tg_interest *interest, size_t bytes);

/* Whether something has gone well; if not, why is in what `tg_error` was given. */
typedef enum { TG_OK, TG_FAILED } tg_result;

/* An error: for whoever changed the configuration, from `configure`; for the operator as a fault, from `on_tick`. */
tg_result tg_error(tg_text message);

/* Required. `config` is the policy's [config], an object. Let errors name the key and the remedy. */
tg_result configure(tg_json config, tg_interest *interest);

/* The message that a hook looks at. */
typedef struct tg_message tg_message;

/* What becomes of it. A fault is for the operator; the client gets what the policy's `on-fault` says. */
typedef enum {
    TG_FORWARD,         /* it goes on: head hooks */
    TG_PASS = TG_FORWARD, /* it goes on as it is: body and trailers hooks */
    TG_HOLD,            /* the head waits until the body hook lets it go: head hooks */
    TG_REPLIED,         /* as `tg_reply` and `tg_problem` return it */
    TG_REPLACED,        /* as `tg_replace` returns it: body hooks */
    TG_ENDED,           /* as `tg_end` returns it: body hooks */
    TG_ABORT,           /* the exchange is cut: body and trailers hooks */
    TG_FAULT            /* as `tg_fault` returns it */
} tg_action;

/* A piece of a body; the whole body where that was asked for. */
typedef struct {
    tg_text bytes;
    bool last;
} tg_piece;

/* Hooks, all optional. How often each is called is said in hooks.wit. */
__attribute__((weak)) tg_action on_request(tg_message *request);
__attribute__((weak)) tg_action on_request_body(tg_message *request, tg_piece piece);
__attribute__((weak)) tg_action on_request_trailers(tg_message *request);
__attribute__((weak)) tg_action on_response(tg_message *response);
__attribute__((weak)) tg_action on_response_body(tg_message *response, tg_piece piece);
__attribute__((weak)) tg_action on_response_trailers(tg_message *response);
/* `state` is NULL if no hook has asked for it. */
__attribute__((weak)) void on_end(void *state);
__attribute__((weak)) tg_result on_tick(void);

/* ---- in a hook ---- */

/* A fact that `configure` has named, in a head hook; a field, in a trailers hook. Several fields of one name come joined by `, `.
 * What was not named is a fault. */
tg_text tg_field(const tg_message *message, const char *name);
/* Any fact, in any hook. Costs a call into the gateway. */
tg_text tg_look_up(const tg_message *message, const char *name);
/* The same of the request, in hooks of the response. */
tg_text tg_look_up_request(const tg_message *response, const char *name);

typedef struct {
    tg_text name, value;
} tg_name_value;

typedef struct {
    const tg_name_value *items;
    size_t count;
} tg_fields;

/* All fields of the head, in order; in a trailers hook, those of the trailers. */
tg_fields tg_all_fields(const tg_message *message);

/* Changes to the head (or the trailers), which go back with the answer. Names in lower case. */
void tg_set(tg_message *message, const char *name, tg_text value);
void tg_add(tg_message *message, const char *name, tg_text value);
void tg_remove(tg_message *message, const char *name);
/* Lets a head go that this filter holds, before the last piece of its body: body hooks. */
void tg_release(tg_message *message);

/* A field of the reply that is to come. */
void tg_reply_field(tg_message *message, const char *name, tg_text value);
/* Answers the client. */
tg_action tg_reply(tg_message *message, unsigned status, tg_text body);
/* Answers with a problem document (RFC 9457). `detail` may be missing. */
tg_action tg_problem(tg_message *message, unsigned status, tg_text title, tg_text detail);
/* These bytes go on in the place of the piece. */
tg_action tg_replace(tg_message *message, tg_text bytes);
/* These bytes go on, and the body ends with them. */
tg_action tg_end(tg_message *message, tg_text bytes);
/* A fault, with a message for the operator. */
tg_action tg_fault(tg_message *message, tg_text reason);

/* What the filter remembers of this exchange, all zeros at first. `tg_want_state` says how much. */
void *tg_state(tg_message *message);

/* ---- what the gateway offers ---- */

typedef enum { TG_LOG_ERROR, TG_LOG_WARN, TG_LOG_INFO, TG_LOG_DEBUG } tg_log_level;
void tg_log(tg_log_level level, tg_text message);
void tg_log_with(tg_log_level level, tg_text message, const tg_name_value *attributes, size_t count);

/* Nanoseconds since 1970, and since some moment; `grants = { clock = true }`. */
uint64_t tg_now(void);
uint64_t tg_monotonic(void);

/* Numbers that nobody can foresee; `grants = { random = true }`. Not in `configure`. */
uint64_t tg_random_number(void);
tg_text tg_random_bytes(uint32_t count);

/* A secret that the policy was granted; ask whenever it is needed. */
tg_text tg_secret(const char *name);

/* State that outlives exchanges, in the space `""` of the policy's own or a shared one. Times to live are milliseconds, 0 is for good. */
typedef enum {
    TG_STORE_OK,
    TG_STORE_DENIED,
    TG_STORE_READ_ONLY,
    TG_STORE_TOO_LARGE,
    TG_STORE_FULL,
    TG_STORE_NOT_A_COUNTER,
    TG_STORE_UNAVAILABLE
} tg_store_result;

/* As words, for messages. */
tg_text tg_store_reason(tg_store_result result);
tg_store_result tg_store_get(tg_text space, tg_text key, tg_text *value);
tg_store_result tg_store_set(tg_text space, tg_text key, tg_text value, uint64_t ttl_ms);
tg_store_result tg_store_delete(tg_text space, tg_text key, bool *existed);
/* `expected` may be missing: then there must be no value. */
tg_store_result tg_store_swap(tg_text space, tg_text key, tg_text expected, tg_text value, uint64_t ttl_ms, bool *swapped);
tg_store_result tg_store_increment(tg_text space, tg_text key, int64_t by, uint64_t ttl_ms, int64_t *value);
/* `acquired` says whether the lease is ours; `token` names us to the other calls. */
tg_store_result tg_store_acquire(tg_text space, tg_text key, uint64_t ttl_ms, bool *acquired, uint64_t *token);
tg_store_result tg_store_renew(tg_text space, tg_text key, uint64_t token, uint64_t ttl_ms, bool *held);
tg_store_result tg_store_release(tg_text space, tg_text key, uint64_t token, bool *held);

typedef struct {
    uint32_t requests;
    uint64_t period_ms;
    uint32_t burst;
} tg_limit;

/* As the gateway writes it: the layout is that of the interface. */
typedef struct {
    bool allowed;
    uint32_t remaining;
    uint64_t retry_after_ms, reset_after_ms;
} tg_decision;

/* Counts a request of that cost against a key. */
tg_decision tg_limit_take(tg_text key, tg_limit limit, uint32_t cost);

/* A request to an upstream that the policy was granted (`grants.callouts`). What is left out of a designated initializer is not said. */
typedef struct {
    tg_text upstream, method, path, authority, body;
    tg_fields fields;
    uint32_t timeout_ms, body_limit;
} tg_callout;

typedef enum {
    TG_CALLOUT_OK,
    TG_CALLOUT_NOT_GRANTED,
    TG_CALLOUT_INVALID,
    TG_CALLOUT_TOO_MANY,
    TG_CALLOUT_UNAVAILABLE,
    TG_CALLOUT_CONNECT,
    TG_CALLOUT_TIMEOUT,
    TG_CALLOUT_BROKEN,
    TG_CALLOUT_TOO_LARGE
} tg_callout_result;

typedef struct {
    tg_callout_result result;
    unsigned status;
    tg_fields fields;
    tg_text body;
} tg_callout_response;

/* As words, for messages. */
tg_text tg_callout_reason(tg_callout_result result);
/* Sends a request and waits. */
tg_callout_response tg_call(tg_callout request);
/* Sends all at once, 16 at most, and waits for all. */
void tg_call_all(const tg_callout *requests, tg_callout_response *responses, size_t count);
/* The first field of that name. */
tg_text tg_find_field(tg_fields fields, const char *name);

typedef enum { TG_COUNTER, TG_GAUGE, TG_HISTOGRAM } tg_metric_kind;
typedef uint32_t tg_metric, tg_series;

/* Defines a metric; TG_FAILED after a message in the log. Labels and buckets may be none. */
tg_result tg_metric_define(tg_metric_kind kind, tg_text name, tg_text help, const tg_text *labels, size_t label_count,
                           const double *buckets, size_t bucket_count, tg_metric *metric);
tg_series tg_metric_series(tg_metric metric, const tg_text *values, size_t count);
void tg_metric_add(tg_series counter, uint64_t amount);
void tg_metric_set(tg_series gauge, double value);
void tg_metric_adjust(tg_series gauge, double by);
void tg_metric_observe(tg_series histogram, double value);

#endif
