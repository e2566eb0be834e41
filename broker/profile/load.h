/*
 * load.h - all profiles of this machine, loaded and checked: the shipped ones
 * and the user's own.
 * Floor: profile. Depends on: profile/profile, profile/expand, base.
 */
#ifndef AG_PROFILE_LOAD_H
#define AG_PROFILE_LOAD_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "profile/profile.h"

struct profiles;
struct expand_env;

enum {
    PROFILES_MAX_COUNT = 256,            /* shipped and own together */
    PROFILE_FILE_MAX_BYTES = 128 * 1024, /* one profile; ours are below 4 KiB */
};

/* A user's profile that was left out, and why; strings borrowed. */
struct profile_problem {
    const char *source;
    const char *why;
};

/*
 * Loads NAME.json of `shipped_dir` and, if not NULL and there, of `user_dir`.
 * A shipped profile that is wrong is an error; a user's one is left out and
 * becomes a problem, also when it takes the name of a shipped one, is a link,
 * belongs to another user or can be written by others.
 *
 * Ownership: *ret is the caller's, freed with profiles_free(); every profile
 *            and string in it lives as long.
 * Errors: AG_ENOTFOUND no shipped directory; AG_EINVAL a shipped profile is
 *         wrong (the sentence names file, field and reason); AG_ELIMIT;
 *         AG_EIO; AG_ENOMEM.
 * Threads: the result is read-only and may be shared. Blocks: on the disk.
 */
AG_CHECK enum ag_err profiles_load(const char *shipped_dir,
                                   const char *user_dir, struct profiles **ret);
void profiles_free(struct profiles *ps);
AG_DEFINE_CLEANUP(profiles, profiles_free)

/* Sorted by name. */
AG_NONNULL size_t profiles_count(const struct profiles *ps);
AG_NONNULL const struct profile *profiles_at(const struct profiles *ps,
                                             size_t index);

AG_NONNULL size_t profiles_problem_count(const struct profiles *ps);
AG_NONNULL struct profile_problem profiles_problem_at(const struct profiles *ps,
                                                      size_t index);

/* Errors: AG_ENOTFOUND with a sentence. */
AG_CHECK AG_NONNULL enum ag_err profile_find(const struct profiles *ps,
                                             const char *name,
                                             const struct profile **ret);

/* A profile and the entry of its `files` that a path belongs to. */
struct profile_match {
    const struct profile *profile;
    size_t file_index;
};

/*
 * The profile whose file `path` (absolute, normal form) is: first by path
 * pattern, then by base name. Shipped profiles come before users' own.
 * Errors: AG_ENOTFOUND, none claims it.
 */
AG_CHECK AG_NONNULL enum ag_err profile_for_path(const struct profiles *ps,
                                                 const struct expand_env *env,
                                                 const char *path,
                                                 struct profile_match *ret);

/* Is it the file's own place, rather than one found by its base name? */
AG_NONNULL bool profile_is_own_path(const struct profile_file *f,
                                    const struct expand_env *env,
                                    const char *path);

/* By base name alone, for files found anywhere. Errors: AG_ENOTFOUND, without
 * a sentence: it is asked for every file of a tree. */
AG_CHECK AG_NONNULL enum ag_err profile_for_name(const struct profiles *ps,
                                                 const char *name,
                                                 struct profile_match *ret);

/* The entry of `p` that `path` belongs to; else AG_ENOTFOUND. */
AG_CHECK AG_NONNULL enum ag_err
profile_file_for_path(const struct profile *p, const struct expand_env *env,
                      const char *path, size_t *ret);

/* One profile from the bytes of its JSON, alone: for tests and fuzzing.
 * `source` is kept by name only. Errors: AG_EINVAL with a sentence. */
AG_CHECK AG_NONNULL enum ag_err
profiles_load_one(struct span json, const char *source, struct profiles **ret);

#endif
