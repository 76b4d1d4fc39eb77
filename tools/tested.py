#!/usr/bin/env python3
"""Fail when a source file has no unit test of its own and is not named below with the tests that cover it, or
when a row below is out of date. Usage: tested.py"""
import sys

import csource

# Files without tests/unit/<folder>/test_<name>.c, and what tests them instead. A row is for a file that is one
# part of a whole which is tested as such, or whose work shows only between real processes or in whole exchanges.
ELSEWHERE = {
    # Parts of one thing, whose header has the test.
    "src/admin/metrics.c": ["tests/unit/admin/test_routes.c"],
    "src/admin/events.c": ["tests/unit/admin/test_routes.c"],
    "src/admin/lent.c": ["tests/unit/admin/test_lists.c"],
    "src/admin/overview.c": ["tests/unit/admin/test_routes.c", "tests/e2e/admin/test_events.py"],
    "src/admin/transactions.c": ["tests/unit/admin/test_routes.c"],
    "src/admin/assets.c": ["tests/e2e/admin/test_dashboard_files.py"],
    "src/admin/errand.c": ["tests/unit/admin/test_lists.c"],
    "src/admin/inquiry.c": ["tests/unit/admin/test_lists.c"],
    "src/admin/requests.c": ["tests/unit/admin/test_lists.c", "tests/e2e/admin/test_requests.py"],
    "src/admin/tunnels.c": ["tests/unit/admin/test_lists.c", "tests/e2e/admin/test_tunnels.py"],
    "src/base/fault_calls.c": ["tests/unit/io/test_fault_calls.c"],
    "src/codec/h1_recv.c": ["tests/unit/codec/test_h1_codec.c", "tests/e2e/http/test_splice_body.py"],
    "src/codec/h1_send.c": ["tests/unit/codec/test_h1_codec.c", "tests/e2e/http/test_splice_body.py"],
    "src/config/load_file.c": ["tests/unit/config/test_config.c"],
    "src/config/load_flags.c": ["tests/unit/config/test_flags.c"],
    "src/config/load_limits.c": ["tests/e2e/limits/test_limits_settings.py"],
    "src/config/schema_maps.c": ["tests/unit/config/test_config.c"],
    "src/config/load_rules.c": ["tests/e2e/egress/test_rules.py"],
    "src/config/print.c": ["tests/unit/config/test_config.c"],
    "src/config/schema.c": ["tests/unit/config/test_config.c"],
    "src/config/value_print.c": ["tests/unit/config/test_value.c"],
    "src/policy/egress.c": ["tests/unit/policy/test_gate.c"],
    "src/policy/explain.c": ["tests/e2e/egress/test_explain.py"],
    "src/policy/explain_json.c": ["tests/e2e/egress/test_explain.py"],
    "src/policy/gate_address.c": ["tests/unit/policy/test_gate.c", "tests/unit/policy/test_rules.c"],
    "src/io/poller_epoll.c": ["tests/unit/io/test_loop.c"],
    "src/net/dns_channel.c": ["tests/unit/net/test_resolver.c"],
    "src/net/tls_explain.c": ["tests/unit/net/test_tls.c"],
    "src/net/tls_facts.c": ["tests/unit/net/test_tls.c"],
    "src/net/tls_tickets.c": ["tests/unit/net/test_tls.c"],
    "src/net/tls_wire.c": ["tests/unit/net/test_tls.c"],
    "src/report/access_log_classic.c": ["tests/unit/report/test_access_log.c"],
    "src/report/access_log_json.c": ["tests/unit/report/test_access_log.c"],
    "src/report/access_log_line.c": ["tests/unit/report/test_access_log.c"],
    "src/report/overview_destinations.c": ["tests/unit/report/test_overview.c"],
    "src/report/overview_json.c": ["tests/unit/report/test_overview.c"],
    "src/report/record_json_inside.c": ["tests/unit/report/test_record_json.c"],
    "src/report/record_json_times.c": ["tests/unit/report/test_record_json.c"],
    "src/report/record_json_values.c": ["tests/unit/report/test_record_json.c"],
    "src/report/tls_cipher.c": ["tests/unit/report/test_record_json.c"],
    "src/view/admin.c": ["tests/e2e/admin/test_views.py"],
    "src/view/lab.c": ["tests/e2e/timing/test_trace.py"],
    "src/view/probe.c": ["tests/e2e/timing/test_trace.py", "tests/e2e/timing/test_trace_proxy.py"],
    "src/view/probe_http.c": ["tests/e2e/timing/test_trace_proxy.py"],
    "src/view/trace.c": ["tests/e2e/timing/test_trace.py"],
    "src/server/lone.c": ["tests/e2e/timing/test_trace.py"],
    "src/view/har_command.c": ["tests/e2e/admin/test_views.py"],
    "src/view/tail.c": ["tests/e2e/admin/test_views.py"],
    "src/view/listing.c": ["tests/e2e/admin/test_views.py"],
    "src/view/view.c": ["tests/e2e/admin/test_views.py", "tests/e2e/tools/test_help.py"],
    # The forwarding of whole messages, seen from both of its ends.
    "src/proxy/admit.c": ["tests/e2e/limits/test_budgets.py", "tests/e2e/limits/test_bandwidth.py"],
    "src/proxy/relief.c": ["tests/e2e/limits/test_flood.py"],
    "src/proxy/acquire.c": ["tests/sim/test_retries.c", "tests/e2e/egress/test_gate.py"],
    "src/proxy/check.c": ["tests/e2e/http/test_local_answers.py", "tests/e2e/egress/test_gate.py"],
    "src/proxy/client.c": ["tests/sim/test_client_limits.c", "tests/e2e/http/test_persistence.py"],
    "src/proxy/denials_page.c": ["tests/e2e/http/test_denials.py"],
    "src/proxy/exchange.c": ["tests/sim/test_messages.c", "tests/sim/test_origin_limits.c"],
    "src/proxy/failure.c": ["tests/e2e/http/test_failures.py"],
    "src/proxy/forward.c": ["tests/sim/test_messages.c", "tests/e2e/http/test_interim.py"],
    "src/proxy/identify.c": ["tests/e2e/identity/test_basic.py", "tests/e2e/identity/test_other_ways.py",
                             "tests/e2e/attacks/test_credential_oracle.py"],
    "src/proxy/inside.c": ["tests/e2e/tunnel/test_inside.py"],
    "src/proxy/pipe.c": ["tests/sim/test_pressure.c", "tests/sim/test_stuck.c", "tests/e2e/tunnel/test_splice.py"],
    "src/proxy/proxy.c": ["tests/sim/test_drain.c"],
    "src/proxy/reply.c": ["tests/e2e/http/test_local_answers.py", "tests/sim/test_handler.c", "tests/e2e/http/test_failures.py"],
    "src/proxy/retry.c": ["tests/sim/test_retries.c"],
    "src/proxy/annotate.c": ["tests/e2e/http/test_annotations.py"],
    "src/proxy/rewrite.c": ["tests/e2e/http/test_request_head.py", "tests/e2e/http/test_response_head.py"],
    "src/proxy/sni_guard.c": ["tests/e2e/egress/test_sni.py"],
    "src/proxy/sni_name.c": ["tests/e2e/egress/test_sni_address.py"],
    "src/proxy/tell.c": ["tests/sim/test_phases.c", "tests/e2e/timing/test_marks.py"],
    "src/proxy/tunnel_look.c": ["tests/e2e/egress/test_sni.py", "tests/e2e/tunnel/test_inside.py"],
    "src/proxy/tunnel_tell.c": ["tests/sim/test_phases.c", "tests/e2e/tunnel/test_told.py"],
    "src/proxy/tunnel.c": ["tests/sim/test_tunnels.c",
                           "tests/sim/test_tunnel_limits.c",
                           "tests/e2e/tunnel/test_half_close.py"],
    "src/upstream/reach.c": ["tests/e2e/http/test_https_origin.py", "tests/e2e/dns/test_names.py"],
    "src/learn/proposal.c": ["tests/e2e/egress/test_learn.py", "tests/fuzz/fuzz_learn.c"],
    "src/learn/learn.c": ["tests/e2e/egress/test_learn.py"],
    "src/admin/asked.c": ["tests/e2e/admin/test_explain_running.py", "tests/e2e/egress/test_explain.py"],
    "src/admin/explaining.c": ["tests/e2e/admin/test_explain_running.py"],
    "src/server/explain_running.c": ["tests/e2e/admin/test_explain_running.py"],
    "src/admin/policy.c": ["tests/e2e/admin/test_diff.py"],
    "src/server/admin_client.c": ["tests/e2e/admin/test_diff.py"],
    "src/server/diff.c": ["tests/e2e/admin/test_diff.py"],
    "src/server/diff_tunnels.c": ["tests/e2e/admin/test_diff.py"],
    # Processes and threads, seen from outside.
    "src/cli/hash_password.c": ["tests/e2e/identity/test_users_file.py"],
    "src/cli/help.c": ["tests/e2e/tools/test_help.py"],
    "src/cli/main.c": ["tests/e2e/ops/test_start.py"],
    "src/selftest/address_classes.c": ["tests/unit/selftest/test_mutations.c", "tests/e2e/egress/test_self_test.py"],
    "src/selftest/instance.c": ["tests/unit/selftest/test_mutations.c", "tests/e2e/egress/test_self_test.py"],
    "src/selftest/name_classes.c": ["tests/unit/selftest/test_mutations.c", "tests/e2e/egress/test_self_test.py"],
    "src/selftest/request_classes.c": ["tests/unit/selftest/test_mutations.c", "tests/e2e/egress/test_self_test.py"],
    "src/selftest/selftest.c": ["tests/unit/selftest/test_mutations.c", "tests/e2e/egress/test_self_test.py"],
    "src/selftest/trial.c": ["tests/unit/selftest/test_mutations.c", "tests/e2e/egress/test_self_test.py"],
    "src/server/crew.c": ["tests/e2e/listeners/test_spread.py"],
    "src/server/advice.c": ["tests/e2e/ops/test_start.py"],
    "src/server/explain.c": ["tests/e2e/egress/test_explain.py"],
    "src/server/compile.c": ["tests/e2e/ops/test_reload.py"],
    "src/server/opening.c": ["tests/unit/server/test_maker.c", "tests/e2e/ops/test_start.py"],
    "src/server/parent.c": ["tests/e2e/ops/test_death.py", "tests/e2e/ops/test_end.py"],
    "src/server/privileges.c": ["tests/e2e/ops/test_start.py"],
    "src/server/landlock.c": ["tests/e2e/ops/test_sandbox.py"],
    "src/server/sandbox.c": ["tests/e2e/ops/test_sandbox.py"],
    "src/server/sandbox_check.c": ["tests/e2e/ops/test_sandbox.py"],
    "src/server/seccomp_filter.c": ["tests/e2e/ops/test_sandbox.py"],
    "src/server/serve.c": ["tests/e2e/ops/test_end.py", "tests/e2e/ops/test_valgrind.py"],
}


def own_test(path):
    return f"tests/unit/{path.parent.name}/test_{path.stem}.c"


def faults(sources):
    for path in sources:
        is_there = (csource.ROOT / own_test(path)).exists()
        if not is_there and str(path) not in ELSEWHERE:
            yield f"{path}: has no test: write {own_test(path)}, or name in tools/tested.py what tests it"
        if is_there and str(path) in ELSEWHERE:
            yield f"tools/tested.py: {path} has a test of its own by now"
    for name, tests in ELSEWHERE.items():
        if not (csource.ROOT / name).exists():
            yield f"tools/tested.py: {name} is not there"
        for test in tests:
            if not (csource.ROOT / test).exists():
                yield f"tools/tested.py: {name}: {test} is not there"


def main():
    sources = csource.files(".c", under=("src",))
    bad = list(faults(sources))
    print("\n".join(bad) or f"tested: {len(sources)} files, {len(ELSEWHERE)} of them through tests of others")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
