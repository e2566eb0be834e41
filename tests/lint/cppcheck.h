/* What cppcheck must know of <sys/queue.h>, which it does not read. */
#define LIST_FOREACH(var, head, field)                                         \
    for ((var) = (head)->lh_first; (var) != NULL; (var) = (var)->next_of_it)
#define LIST_HEAD(name, type)                                                  \
    struct name {                                                              \
        struct type *lh_first;                                                 \
    }
