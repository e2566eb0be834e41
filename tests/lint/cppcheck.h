/* What cppcheck must know of <sys/queue.h>, which it does not read. */
#define LIST_HEAD(name, type)                                                  \
    struct name {                                                              \
        struct type *lh_first;                                                 \
    }
