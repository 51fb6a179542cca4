/* JSON (RFC 8259), read where it stands: a text is checked once as a whole, and values are found in it when they are asked for. */
#include "tollgate.h"

enum { DEPTH = 64 };

typedef struct {
    const char *at, *end;
} reader;

static void skip_space(reader *in) {
    while (in->at < in->end && (*in->at == ' ' || *in->at == '\t' || *in->at == '\n' || *in->at == '\r')) in->at++;
}

static bool take(reader *in, char byte) {
    if (in->at == in->end || *in->at != byte) return false;
    in->at++;
    return true;
}

static int digit_of(char byte) {
    if (byte >= '0' && byte <= '9') return byte - '0';
    if (byte >= 'a' && byte <= 'f') return byte - 'a' + 10;
    if (byte >= 'A' && byte <= 'F') return byte - 'A' + 10;
    return -1;
}

/* Four hexadecimal digits, or -1. */
static int32_t take_unit(reader *in) {
    int32_t unit = 0;
    for (int i = 0; i < 4; i++) {
        int digit = in->at < in->end ? digit_of(*in->at) : -1;
        if (digit < 0) return -1;
        unit = unit << 4 | digit;
        in->at++;
    }
    return unit;
}

static bool skip_string(reader *in) {
    if (!take(in, '"')) return false;
    while (in->at < in->end) {
        uint8_t byte = (uint8_t)*in->at++;
        if (byte == '"') return true;
        if (byte < ' ') return false;
        if (byte != '\\') continue;
        if (in->at == in->end) return false;
        char escape = *in->at++;
        if (escape == 'u' ? take_unit(in) < 0 : tg_find(TG("\"\\/bfnrt"), (tg_text){ &escape, 1 }) < 0) return false;
    }
    return false;
}

static bool skip_digits(reader *in) {
    const char *start = in->at;
    while (in->at < in->end && *in->at >= '0' && *in->at <= '9') in->at++;
    return in->at > start;
}

static bool skip_number(reader *in) {
    take(in, '-');
    if (!take(in, '0') && !skip_digits(in)) return false;
    if (take(in, '.') && !skip_digits(in)) return false;
    if (!take(in, 'e') && !take(in, 'E')) return true;
    if (!take(in, '+')) take(in, '-');
    return skip_digits(in);
}

static bool skip_word(reader *in, tg_text word) {
    if (!tg_starts_with((tg_text){ in->at, (size_t)(in->end - in->at) }, word)) return false;
    in->at += word.length;
    return true;
}

static tg_json_kind skip_value(reader *in, int depth);

static bool skip_container(reader *in, char close, int depth) {
    if (depth == DEPTH) return false;
    in->at++;
    skip_space(in);
    if (take(in, close)) return true;
    do {
        skip_space(in);
        if (close == '}') {
            if (!skip_string(in)) return false;
            skip_space(in);
            if (!take(in, ':')) return false;
        }
        if (!skip_value(in, depth + 1)) return false;
        skip_space(in);
    } while (take(in, ','));
    return take(in, close);
}

/* Goes past a value and says what it is; TG_JSON_NONE if it is none. */
static tg_json_kind skip_value(reader *in, int depth) {
    skip_space(in);
    switch (in->at < in->end ? *in->at : 0) {
    case '{': return skip_container(in, '}', depth) ? TG_JSON_OBJECT : TG_JSON_NONE;
    case '[': return skip_container(in, ']', depth) ? TG_JSON_ARRAY : TG_JSON_NONE;
    case '"': return skip_string(in) ? TG_JSON_STRING : TG_JSON_NONE;
    case 't': return skip_word(in, TG("true")) ? TG_JSON_BOOL : TG_JSON_NONE;
    case 'f': return skip_word(in, TG("false")) ? TG_JSON_BOOL : TG_JSON_NONE;
    case 'n': return skip_word(in, TG("null")) ? TG_JSON_NULL : TG_JSON_NONE;
    default: return skip_number(in) ? TG_JSON_NUMBER : TG_JSON_NONE;
    }
}

static tg_json read_value(reader *in) {
    skip_space(in);
    const char *start = in->at;
    tg_json_kind kind = skip_value(in, 0);
    return (tg_json){ kind, { start, (size_t)(in->at - start) } };
}

tg_json tg_json_parse(tg_text text) {
    reader in = { text.data, text.data + text.length };
    tg_json value = read_value(&in);
    skip_space(&in);
    return in.at == in.end ? value : (tg_json){ 0 };
}

bool tg_json_next(tg_json container, size_t *place, tg_text *name, tg_json *value) {
    bool is_object = container.kind == TG_JSON_OBJECT;
    if (!is_object && container.kind != TG_JSON_ARRAY) return false;
    reader in = { container.text.data + (*place ? *place : 1), container.text.data + container.text.length };
    skip_space(&in);
    take(&in, ',');
    skip_space(&in);
    if (in.at >= in.end || *in.at == '}' || *in.at == ']') return false;
    tg_text found = { 0 };
    if (is_object) {
        found = tg_json_string(read_value(&in));
        skip_space(&in);
        take(&in, ':');
    }
    if (name) *name = found;
    *value = read_value(&in);
    *place = (size_t)(in.at - container.text.data);
    return true;
}

tg_json tg_json_get(tg_json object, const char *name) {
    tg_json found = { 0 }, value;
    tg_text wanted = tg_text_of(name), member;
    if (object.kind != TG_JSON_OBJECT) return found;
    for (size_t place = 0; tg_json_next(object, &place, &member, &value);)
        if (tg_equal(member, wanted)) found = value;
    return found;
}

/* Appends a character in UTF-8. */
static char *put_character(char *out, uint32_t code) {
    if (code < 0x80) {
        *out++ = (char)code;
    } else if (code < 0x800) {
        *out++ = (char)(0xc0 | code >> 6);
        *out++ = (char)(0x80 | (code & 63));
    } else {
        if (code < 0x10000) {
            *out++ = (char)(0xe0 | code >> 12);
        } else {
            *out++ = (char)(0xf0 | code >> 18);
            *out++ = (char)(0x80 | (code >> 12 & 63));
        }
        *out++ = (char)(0x80 | (code >> 6 & 63));
        *out++ = (char)(0x80 | (code & 63));
    }
    return out;
}

/* The character of `\u`, of which a pair makes one beyond 16 bits; a half alone is U+FFFD. */
static uint32_t take_character(reader *in) {
    int32_t unit = take_unit(in);
    if (unit < 0xd800 || unit > 0xdfff) return (uint32_t)unit;
    reader ahead = *in;
    if (unit < 0xdc00 && take(&ahead, '\\') && take(&ahead, 'u')) {
        int32_t low = take_unit(&ahead);
        if (low >= 0xdc00 && low <= 0xdfff) {
            *in = ahead;
            return 0x10000 + ((uint32_t)(unit - 0xd800) << 10) + (uint32_t)(low - 0xdc00);
        }
    }
    return 0xfffd;
}

tg_text tg_json_string(tg_json value) {
    if (value.kind != TG_JSON_STRING) return (tg_text){ 0 };
    reader in = { value.text.data + 1, value.text.data + value.text.length - 1 };
    /* Nothing becomes longer: an escape has six bytes, and its character three at most. */
    char *text = tg_allocate(value.text.length), *out = text;
    while (in.at < in.end) {
        char byte = *in.at++;
        if (byte != '\\') {
            *out++ = byte;
            continue;
        }
        switch (byte = *in.at++) {
        case 'u': out = put_character(out, take_character(&in)); break;
        case 'b': *out++ = '\b'; break;
        case 'f': *out++ = '\f'; break;
        case 'n': *out++ = '\n'; break;
        case 'r': *out++ = '\r'; break;
        case 't': *out++ = '\t'; break;
        default: *out++ = byte;
        }
    }
    return (tg_text){ text, (size_t)(out - text) };
}

bool tg_json_bool(tg_json value, bool otherwise) {
    return value.kind == TG_JSON_BOOL ? value.text.data[0] == 't' : otherwise;
}

int64_t tg_json_integer(tg_json value, int64_t otherwise) {
    if (value.kind != TG_JSON_NUMBER) return otherwise;
    bool is_negative = value.text.data[0] == '-';
    /* Counted below zero, where there is one more. */
    int64_t number = 0;
    for (size_t i = is_negative; i < value.text.length; i++) {
        int digit = digit_of(value.text.data[i]);
        if (digit < 0 || digit > 9) return otherwise;
        if (number < INT64_MIN / 10 || number * 10 < INT64_MIN + digit) return otherwise;
        number = number * 10 - digit;
    }
    if (!is_negative && number == INT64_MIN) return otherwise;
    return is_negative ? number : -number;
}
