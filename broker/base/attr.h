/*
 * attr.h - the attributes every room uses: results that must be read, scopes
 * that release, assertions that stay on.
 * Floor: base. Depends on: nothing.
 */
#ifndef AG_BASE_ATTR_H
#define AG_BASE_ATTR_H

/* The result must be looked at; a dropped error does not compile. */
#define AG_CHECK __attribute__((warn_unused_result))

/* No pointer parameter may be NULL. */
#define AG_NONNULL __attribute__((nonnull))

#define AG_PRINTF(fmt_index, first_index)                                      \
    __attribute__((format(printf, fmt_index, first_index)))

/*
 * AG_AUTO(t) runs t_cleanup(&variable) when the scope ends. The variable must
 * be initialised. A type offers it by AG_DEFINE_CLEANUP beside its _free.
 */
#define AG_AUTO(type) __attribute__((cleanup(type##_cleanup)))

#define AG_DEFINE_CLEANUP(type, free_fn)                                       \
    static inline void type##_cleanup(struct type **slot)                      \
    {                                                                          \
        free_fn(*slot);                                                        \
    }

/* The same for a value that lives in place and has a _done. */
#define AG_DEFINE_CLEANUP_INPLACE(type, done_fn)                               \
    static inline void type##_cleanup(struct type *slot)                       \
    {                                                                          \
        done_fn(slot);                                                         \
    }

/* Moves a pointer out of its variable, which is left NULL. */
#define AG_TAKE(pointer)                                                       \
    __extension__({                                                            \
        __typeof__(pointer) ag_taken_ = (pointer);                             \
        (pointer) = (__typeof__(pointer))0;                                    \
        ag_taken_;                                                             \
    })

#define AG_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/*
 * Our own mistakes only; what the world sends is an error. Stays on in
 * release: says file and line, then aborts without a core (selflock).
 */
#define AG_ASSERT(condition)                                                   \
    ((condition) ? (void)0 : ag_assert_failed(__FILE__, __LINE__, #condition))

__attribute__((noreturn)) void ag_assert_failed(const char *file, int line,
                                                const char *condition);

#endif
