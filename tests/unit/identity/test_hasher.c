#include "identity_test.h"

#include "identity/hasher.h"

enum { JOBS = 200 };

static struct loop *loop;
static struct hasher *hasher;
static struct hash_job jobs[JOBS];
static size_t done_count;

static void on_done(struct hash_job *job)
{
    (void)job;
    done_count++;
}

static enum status submit(struct hash_job *job, const char *password)
{
    *job = (struct hash_job){.home = loop, .on_done = on_done};
    (void)snprintf(job->password, sizeof(job->password), "%s", password);
    (void)snprintf(job->hash, sizeof(job->hash), "%s", HASH_SHA256);
    return hasher_submit(hasher, job);
}

static void wait_for(size_t count)
{
    while (done_count < count)
        (void)loop_turn(loop, UINT64_MAX);
}

static int begin(void **state)
{
    (void)state;
    done_count = 0;
    assert_int_equal(loop_create(&loop), ST_OK);
    hasher = hasher_create(NULL, NULL);
    return hasher == NULL;
}

static int end(void **state)
{
    (void)state;
    hasher_destroy(&hasher);
    loop_destroy(&loop);
    return 0;
}

/* Answers come home to the loop, and no password stays in a job. */
static void verdicts_come_home(void **state)
{
    (void)state;
    assert_int_equal(submit(&jobs[0], "secret"), ST_OK);
    assert_int_equal(submit(&jobs[1], "Secret"), ST_OK);
    wait_for(2);
    assert_true(jobs[0].was_hashed && jobs[0].is_match);
    assert_true(jobs[1].was_hashed && !jobs[1].is_match);
    assert_int_equal(jobs[0].password[0], '\0');
    assert_int_equal(jobs[1].password[5], '\0');
}

/* The queue is bounded; every job that was taken comes home, and one that was cancelled is not computed. */
static void the_queue_is_bounded(void **state)
{
    (void)state;
    static bool was_taken[JOBS];
    size_t taken = 0;
    size_t cancelled = 0;
    for (size_t i = 0; i < JOBS; i++) {
        enum status status = submit(&jobs[i], "secret");
        assert_true(status == ST_OK || status == ST_LIMIT);
        was_taken[i] = status == ST_OK;
        taken += status == ST_OK;
        if (status == ST_OK && i % 2 == 1) {
            atomic_store_explicit(&jobs[i].is_cancelled, true, memory_order_relaxed);
            cancelled++;
        }
    }
    assert_true(taken >= HASHER_QUEUE_MAX);
    wait_for(taken);
    assert_int_equal(done_count, taken);
    for (size_t i = 0; i < JOBS; i++)
        assert_true(jobs[i].was_hashed == jobs[i].is_match &&
                    (was_taken[i] || !jobs[i].was_hashed));
    assert_true(cancelled > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(verdicts_come_home, begin, end),
        cmocka_unit_test_setup_teardown(the_queue_is_bounded, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
