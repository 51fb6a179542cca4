//! The names of all metrics.

pub(super) const BUILD_INFO: &str = "tollgate_build_info";
pub(super) const CONNECTIONS: &str = "tollgate_connections_total";
pub(super) const CONNECTIONS_OPEN: &str = "tollgate_connections_open";
pub(super) const ACCEPT_ERRORS: &str = "tollgate_accept_errors_total";
pub(super) const TLS_FAILURES: &str = "tollgate_tls_handshake_failures_total";
pub(super) const PROXY_PROTOCOL_ERRORS: &str = "tollgate_proxy_protocol_errors_total";
pub(super) const HTTP2_FLOODS: &str = "tollgate_http2_floods_total";
pub(super) const REFUSED_CONNECTIONS: &str = "tollgate_refused_connections_total";
pub(super) const REFUSED_REQUESTS: &str = "tollgate_refused_requests_total";
pub(super) const MEMORY: &str = "tollgate_memory_resident_bytes";
pub(super) const PANICS: &str = "tollgate_panics_total";
pub(super) const EXCHANGES_OPEN: &str = "tollgate_exchanges_open";
pub(super) const BAD_REQUESTS: &str = "tollgate_unrouted_requests_total";
pub(super) const INVALID_REQUESTS: &str = "tollgate_invalid_requests_total";
pub(super) const RELOADS: &str = "tollgate_reloads_total";
pub(super) const LAST_KNOWN_GOOD: &str = "tollgate_last_known_good";
pub(super) const DISTRUSTED: &str = "tollgate_policies_no_longer_trusted";
pub(super) const SNAPSHOTS: &str = "tollgate_snapshots";
pub(super) const CUT_FOR_AGE: &str = "tollgate_exchanges_cut_total";
pub(super) const GENERATION: &str = "tollgate_snapshot_generation";
pub(super) const TRACE_SPANS: &str = "tollgate_trace_spans_total";
pub(super) const RESPONSES: &str = "tollgate_responses_total";
pub(super) const DURATION: &str = "tollgate_exchange_duration_seconds";
pub(super) const FILTER_CALLS: &str = "tollgate_filter_calls_total";
pub(super) const FILTER_REMEMBERED: &str = "tollgate_filter_remembered_total";
pub(super) const FILTER_REPLIES: &str = "tollgate_filter_replies_total";
pub(super) const FILTER_FAULTS: &str = "tollgate_filter_faults_total";
pub(super) const FILTER_QUARANTINES: &str = "tollgate_filter_quarantines_total";
pub(super) const FILTER_QUARANTINED: &str = "tollgate_filter_quarantined_exchanges_total";
pub(super) const FILTER_IN_QUARANTINE: &str = "tollgate_filter_quarantined";
pub(super) const FILTER_INSTANCES: &str = "tollgate_filter_instances";
pub(super) const FILTER_RECYCLED: &str = "tollgate_filter_recycled_total";
pub(super) const FILTER_LOG_DROPPED: &str = "tollgate_filter_log_lines_dropped_total";
pub(super) const FILTER_EXCHANGES: &str = "tollgate_filter_exchanges_total";
pub(super) const FILTER_CPU: &str = "tollgate_filter_cpu_seconds_total";
pub(super) const FILTER_HOST: &str = "tollgate_filter_host_seconds_total";
pub(super) const FILTER_BYTES: &str = "tollgate_filter_bytes_total";
pub(super) const FILTER_ROUTE_REPLIES: &str = "tollgate_filter_route_replies_total";
pub(super) const FILTER_ROUTE_FAULTS: &str = "tollgate_filter_route_faults_total";
pub(super) const FILTER_REFUSED: &str = "tollgate_filter_refused_exchanges_total";
pub(super) const FILTER_MEMORY: &str = "tollgate_filter_memory_high_water_bytes";
pub(super) const FILTER_TICKS: &str = "tollgate_filter_ticks_total";
pub(super) const FILTER_TICK_CPU: &str = "tollgate_filter_tick_cpu_seconds_total";
pub(super) const UPSTREAM_REQUESTS: &str = "tollgate_upstream_requests_total";
pub(super) const UPSTREAM_CONNECTS: &str = "tollgate_upstream_connects_total";
pub(super) const UPSTREAM_FAILURES: &str = "tollgate_upstream_failures_total";
pub(super) const TUNNELS: &str = "tollgate_tunnels_total";
pub(super) const TUNNELS_OPEN: &str = "tollgate_tunnels_open";
pub(super) const TUNNEL_BYTES: &str = "tollgate_tunnel_bytes_total";
pub(super) const UPSTREAM_RETRIES: &str = "tollgate_upstream_retries_total";
pub(super) const UPSTREAM_REJECTIONS: &str = "tollgate_upstream_rejections_total";
pub(super) const UPSTREAM_EJECTIONS: &str = "tollgate_upstream_ejections_total";
pub(super) const UPSTREAM_CHECKS: &str = "tollgate_upstream_health_checks_total";
pub(super) const UPSTREAM_RESOLUTION_FAILURES: &str = "tollgate_upstream_resolution_failures_total";
pub(super) const UPSTREAM_ENDPOINTS: &str = "tollgate_upstream_endpoints";
pub(super) const UPSTREAM_PANIC: &str = "tollgate_upstream_panic";
pub(super) const ENDPOINT_REQUESTS: &str = "tollgate_endpoint_requests_total";
pub(super) const ENDPOINT_FAILURES: &str = "tollgate_endpoint_failures_total";
pub(super) const ENDPOINT_UP: &str = "tollgate_endpoint_up";
pub(super) const STORE_OPERATIONS: &str = "tollgate_store_operations_total";
pub(super) const STORE_REFUSED: &str = "tollgate_store_refused_total";
pub(super) const STORE_ENTRIES: &str = "tollgate_store_entries";
pub(super) const STORE_BYTES: &str = "tollgate_store_bytes";
pub(super) const REDIS_REQUESTS: &str = "tollgate_redis_requests_total";
pub(super) const REDIS_FAILURES: &str = "tollgate_redis_failures_total";
pub(super) const REDIS_FALLBACKS: &str = "tollgate_redis_fallbacks_total";
pub(super) const REDIS_UP: &str = "tollgate_redis_up";
pub(super) const REGISTRY_LOOKS: &str = "tollgate_registry_looks_total";
pub(super) const MIRROR_ANSWERS: &str = "tollgate_mirror_answers_total";
pub(super) const MIRROR_LOST: &str = "tollgate_mirror_lost_total";
pub(super) const CALLOUTS: &str = "tollgate_callouts_total";
pub(super) const CALLOUT_SECONDS: &str = "tollgate_callout_seconds_total";
pub(super) const TRIALS: &str = "tollgate_trials_total";
pub(super) const TRIAL_SHARE: &str = "tollgate_trial_share";
pub(super) const TRIAL_EXCHANGES: &str = "tollgate_trial_exchanges";
pub(super) const TRIAL_FAULTS: &str = "tollgate_trial_faults";
pub(super) const TRIAL_SERVER_ERRORS: &str = "tollgate_trial_server_errors";
pub(super) const TRIAL_CPU: &str = "tollgate_trial_cpu_seconds";

/// What filters cannot define.
pub(super) const OF_FILTERS: &[&str] = &[
    FILTER_CALLS,
    FILTER_REMEMBERED,
    FILTER_REPLIES,
    FILTER_FAULTS,
    FILTER_QUARANTINES,
    FILTER_QUARANTINED,
    FILTER_IN_QUARANTINE,
    FILTER_INSTANCES,
    FILTER_RECYCLED,
    FILTER_LOG_DROPPED,
    FILTER_EXCHANGES,
    FILTER_CPU,
    FILTER_HOST,
    FILTER_BYTES,
    FILTER_ROUTE_REPLIES,
    FILTER_ROUTE_FAULTS,
    FILTER_REFUSED,
    FILTER_MEMORY,
    FILTER_TICKS,
    FILTER_TICK_CPU,
];

#[cfg(test)]
mod tests {
    #[test]
    fn the_list_has_all_that_begin_so() {
        let names = include_str!("names.rs").split('"').filter(|text| text.starts_with("tollgate_filter_"));
        let missing: Vec<_> = names.filter(|name| name.len() > 16 && !super::OF_FILTERS.contains(name)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
