/* Knows consumers by their API keys: a request with a known key goes on as its consumer's, any other is answered. */
#include <tollgate.h>

typedef struct {
    tg_text consumer;
    uint8_t digest[32];
} key;

static const char *header = "x-api-key";
static key *keys;
static size_t key_count;
static tg_text challenge, missing;

static int digit(char byte) {
    if (byte >= '0' && byte <= '9') return byte - '0';
    byte |= ' ';
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* 64 hexadecimal digits. */
static bool read_digest(tg_text text, uint8_t digest[32]) {
    if (text.length != 64) return false;
    for (size_t i = 0; i < 32; i++) {
        int high = digit(text.data[2 * i]), low = digit(text.data[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        digest[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* Joins two texts and what stands between them. */
static tg_text around(tg_text before, const char *middle, tg_text after) {
    tg_buffer text = { 0 };
    tg_append(&text, before);
    tg_append(&text, tg_text_of(middle));
    tg_append(&text, after);
    return tg_buffer_text(&text);
}

tg_result configure(tg_json config, tg_interest *interest) {
    tg_text name = tg_json_string(tg_json_get(config, "header"));
    if (tg_is(name)) header = tg_lower(name).data;
    tg_json list = tg_json_get(config, "keys"), value;
    for (size_t place = 0; tg_json_next(list, &place, NULL, &value);) key_count++;
    if (!key_count) return tg_error(TG("keys: is empty, so nobody could pass; add `consumer` and `sha256` of a key"));
    keys = tg_allocate(key_count * sizeof(key));
    key *next = keys;
    for (size_t place = 0; tg_json_next(list, &place, NULL, &value); next++) {
        next->consumer = tg_json_string(tg_json_get(value, "consumer"));
        if (!next->consumer.length) return tg_error(TG("keys: consumer is missing; write whose key it is"));
        if (!read_digest(tg_json_string(tg_json_get(value, "sha256")), next->digest))
            return tg_error(TG("keys: sha256 is no digest; write the 64 digits that `printf %s KEY | sha256sum` prints"));
    }
    challenge = around(TG("ApiKey in=\"header\", name=\""), header, TG("\""));
    missing = around(TG("Send an API key in the header `"), header, TG("`."));
    tg_want_request(interest, header);
    return TG_OK;
}

static tg_action refuse(tg_message *request, tg_text detail) {
    tg_reply_field(request, "www-authenticate", challenge);
    return tg_problem(request, 401, TG("Unauthorized"), detail);
}

tg_action on_request(tg_message *request) {
    tg_text sent = tg_field(request, header);
    if (!tg_is(sent)) return refuse(request, missing);
    uint8_t digest[32];
    tg_sha256(sent, digest);
    for (const key *known = keys; known < keys + key_count; known++) {
        tg_text one = { (const char *)known->digest, 32 }, other = { (const char *)digest, 32 };
        if (!tg_equal_secret(one, other)) continue;
        tg_set(request, "@subject", known->consumer);
        tg_remove(request, header);
        return TG_FORWARD;
    }
    return refuse(request, TG("The API key is not known."));
}
