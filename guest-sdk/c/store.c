/* `store`: results of one to eight bytes, with the case of the result before them. */
#include "internal.h"

/* `result<_, error>` */
typedef struct {
    uint8_t is_error;
    union {
        uint8_t error;
        uint8_t flag;
    };
} short_result;

/* `result<option<list<u8>>, error>` */
typedef struct {
    uint8_t is_error;
    union {
        uint8_t error;
        struct {
            uint8_t is_there;
            tg_text value;
        } __attribute__((aligned(4)));
    };
} value_result;

/* `result<s64, error>` */
typedef struct {
    uint8_t is_error;
    union {
        uint8_t error;
        int64_t number;
    };
} number_result;

/* `result<option<u64>, error>` */
typedef struct {
    uint8_t is_error;
    union {
        uint8_t error;
        struct {
            uint8_t is_there;
            uint64_t token;
        } __attribute__((aligned(8)));
    };
} lease_result;

#define KEY const char *space, size_t space_length, const char *key, size_t key_length
#define OF(space, key) space.data, space.length, key.data, key.length

TG_IMPORT("store", "get") void store_get(KEY, value_result *result);
TG_IMPORT("store", "set") void store_set(KEY, const char *value, size_t length, uint64_t ttl_ms, short_result *result);
TG_IMPORT("store", "delete") void store_delete(KEY, short_result *result);
TG_IMPORT("store", "compare-and-swap")
void store_swap(KEY, int is_expected, const char *expected, size_t expected_length, const char *value, size_t length, uint64_t ttl_ms,
                short_result *result);
TG_IMPORT("store", "increment") void store_increment(KEY, int64_t by, uint64_t ttl_ms, number_result *result);
TG_IMPORT("store", "acquire") void store_acquire(KEY, uint64_t ttl_ms, lease_result *result);
TG_IMPORT("store", "renew") void store_renew(KEY, uint64_t token, uint64_t ttl_ms, short_result *result);
TG_IMPORT("store", "release") void store_release(KEY, uint64_t token, short_result *result);

static tg_store_result outcome(uint8_t is_error, uint8_t error) { return is_error ? (tg_store_result)(error + 1) : TG_STORE_OK; }

static tg_store_result say(short_result result, bool *flag) {
    if (flag) *flag = !result.is_error && result.flag;
    return outcome(result.is_error, result.error);
}

tg_store_result tg_store_get(tg_text space, tg_text key, tg_text *value) {
    value_result result;
    store_get(OF(space, key), &result);
    *value = !result.is_error && result.is_there ? result.value : (tg_text){ 0 };
    return outcome(result.is_error, result.error);
}

tg_store_result tg_store_set(tg_text space, tg_text key, tg_text value, uint64_t ttl_ms) {
    short_result result;
    store_set(OF(space, key), value.data, value.length, ttl_ms, &result);
    return say(result, NULL);
}

tg_store_result tg_store_delete(tg_text space, tg_text key, bool *existed) {
    short_result result;
    store_delete(OF(space, key), &result);
    return say(result, existed);
}

tg_store_result tg_store_swap(tg_text space, tg_text key, tg_text expected, tg_text value, uint64_t ttl_ms, bool *swapped) {
    short_result result;
    store_swap(OF(space, key), tg_is(expected), expected.data, expected.length, value.data, value.length, ttl_ms, &result);
    return say(result, swapped);
}

tg_store_result tg_store_increment(tg_text space, tg_text key, int64_t by, uint64_t ttl_ms, int64_t *value) {
    number_result result;
    store_increment(OF(space, key), by, ttl_ms, &result);
    if (value) *value = result.is_error ? 0 : result.number;
    return outcome(result.is_error, result.error);
}

tg_store_result tg_store_acquire(tg_text space, tg_text key, uint64_t ttl_ms, bool *acquired, uint64_t *token) {
    lease_result result;
    store_acquire(OF(space, key), ttl_ms, &result);
    *acquired = !result.is_error && result.is_there;
    *token = *acquired ? result.token : 0;
    return outcome(result.is_error, result.error);
}

tg_store_result tg_store_renew(tg_text space, tg_text key, uint64_t token, uint64_t ttl_ms, bool *held) {
    short_result result;
    store_renew(OF(space, key), token, ttl_ms, &result);
    return say(result, held);
}

tg_store_result tg_store_release(tg_text space, tg_text key, uint64_t token, bool *held) {
    short_result result;
    store_release(OF(space, key), token, &result);
    return say(result, held);
}

tg_text tg_store_reason(tg_store_result result) {
    switch (result) {
    case TG_STORE_OK: return TG("ok");
    case TG_STORE_DENIED: return TG("the policy was not granted that space of the store");
    case TG_STORE_READ_ONLY: return TG("the policy may only read that space of the store");
    case TG_STORE_TOO_LARGE: return TG("the key or the value is too long for the store");
    case TG_STORE_FULL: return TG("the space of the store is full");
    case TG_STORE_NOT_A_COUNTER: return TG("what the store has there is no counter");
    case TG_STORE_UNAVAILABLE: return TG("the store cannot be reached");
    }
    return TG("unknown");
}
