/* Hides words in response bodies as these stream: what may still become a word is held back until the next piece. */
#include <tollgate.h>

enum { MOST = 64, LONGEST = 128 };

static tg_text words[MOST];
static size_t word_count;
static tg_text replacement = TG("***");

/* What is held back of an exchange's body. */
typedef struct {
    size_t length;
    char bytes[LONGEST];
} rest;

tg_result configure(tg_json config, tg_interest *interest) {
    tg_json list = tg_json_get(config, "words"), word;
    for (size_t place = 0; tg_json_next(list, &place, NULL, &word);) {
        tg_text text = tg_json_string(word);
        if (word_count == MOST || !text.length || text.length > LONGEST)
            return tg_error(TG("words: there are more than 64, or one is empty or longer than 128 bytes; write fewer or shorter ones"));
        words[word_count++] = text;
    }
    if (!word_count) return tg_error(TG("words: is empty; write what is to be hidden"));
    tg_text text = tg_json_string(tg_json_get(config, "replacement"));
    if (tg_is(text)) replacement = text;
    tg_want_state(interest, sizeof(rest));
    return TG_OK;
}

/* How long the longest word is that a text begins with; 0 if there is none. `may_go_on` says whether more text could make one, or a longer one. */
static size_t match(tg_text text, bool *may_go_on) {
    size_t longest = 0;
    *may_go_on = false;
    for (size_t i = 0; i < word_count; i++) {
        if (tg_starts_with(text, words[i])) {
            if (words[i].length > longest) longest = words[i].length;
        } else if (text.length < words[i].length && tg_starts_with(words[i], text)) {
            *may_go_on = true;
        }
    }
    return longest;
}

tg_action on_response_body(tg_message *response, tg_piece piece) {
    rest *held = tg_state(response);
    tg_buffer whole = { 0 }, out = { 0 };
    tg_append(&whole, (tg_text){ held->bytes, held->length });
    tg_append(&whole, piece.bytes);
    tg_text text = tg_buffer_text(&whole);
    size_t at = 0, plain = 0;
    while (at < text.length) {
        bool may_go_on;
        size_t length = match(tg_slice(text, at, text.length), &may_go_on);
        if (may_go_on && !piece.last) break;
        if (!length) {
            at++;
            continue;
        }
        tg_append(&out, tg_slice(text, plain, at));
        tg_append(&out, replacement);
        plain = at += length;
    }
    tg_append(&out, tg_slice(text, plain, at));
    held->length = text.length - at;
    memcpy(held->bytes, text.data + at, held->length);
    return tg_replace(response, tg_buffer_text(&out));
}
