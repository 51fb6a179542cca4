/* What the files of the SDK share. The layouts are those of the canonical ABI, so what is put together here is read where it lies. */
#ifndef TOLLGATE_INTERNAL_H
#define TOLLGATE_INTERNAL_H

#include "tollgate.h"

#define TG_IMPORT(interface, name) \
    __attribute__((import_module("tollgate:filter/" interface "@0.1.0"), import_name(name)))
#define TG_HOOK(name) __attribute__((export_name("tollgate:filter/hooks@0.1.0#" name)))

/* A list of anything. */
typedef struct {
    const void *items;
    size_t count;
} tg_list;

/* `variant edit`: case and payload. */
typedef struct {
    uint32_t kind;
    tg_text name, value;
} tg_edit;

/* Memory that is not cleared. */
void *tg_take_memory(size_t size);
/* What has been allocated so far stays for good. */
void tg_keep_memory(void);
/* A hook has been called: what the one before has allocated is given up, unless the gateway has begun to hand things over. */
void tg_begin_hook(void);
/* A hook has answered: what it has allocated is given up with the next call. */
void tg_end_hook(void);

void *tg_state_of(uint32_t exchange, size_t size);
/* The state of an exchange that ends, or NULL; it is free once it has been given back. */
void *tg_end_state(uint32_t exchange);
void tg_free_state(void *state);

#endif
