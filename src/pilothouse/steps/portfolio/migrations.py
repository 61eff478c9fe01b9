"""Tables of the portfolio, forward only."""

from pilothouse.kernel.store import Migration

MIGRATIONS = (
    Migration(name="portfolio/0001_use_cases", statements=(
        "create table use_case (id text primary key, slug text not null unique, title text not null,"
        " problem text not null, outcome text not null, unit_of_work text not null, volume_per_month real,"
        " current_cost_eur real, audience text not null, autonomy text not null, data_classes text not null,"
        " geographies text not null, units text not null, sources text not null, owner text not null,"
        " proposed_by text not null, risk_tier text not null, tier_reasons text not null, stage text not null,"
        " trial integer not null, proposed_at text not null, demo integer not null)",
        "create table kpi (use_case_id text not null, slug text not null, title text not null, unit text not null,"
        " shape text not null, better text not null, least_change real not null, mandatory integer not null,"
        " kill_below real, version integer not null, primary key (use_case_id, slug))",
        "create table sample_batch (id text primary key, use_case_id text not null, kpi text not null,"
        " period text not null, source text not null, instrument text not null, grade text not null,"
        " starts_on text not null, ends_on text not null, n integer not null, total real not null,"
        " total_squares real not null, digest text not null, key text not null, sample_values blob not null,"
        " seq integer not null, accepted_at text not null, demo integer not null,"
        " unique (use_case_id, kpi, key))",
        "create index sample_batch_kpi on sample_batch (use_case_id, kpi, period)",
        "create table baseline (use_case_id text not null, kpi text not null, version integer not null,"
        " n integer not null, mean real not null, sd real, total real not null, total_squares real not null,"
        " starts_on text not null, ends_on text not null, instrument text not null, source text not null,"
        " frozen_by text not null, frozen_at text not null, digest text not null, reason text not null,"
        " seq integer not null, primary key (use_case_id, kpi, version))",
        "create table gate (seq integer primary key, use_case_id text not null, verdict text not null,"
        " recommended text not null, reason text not null, was text not null, now text not null,"
        " decided_by text not null, decided_at text not null, conditions text not null, dissent text not null)",
        "create index gate_use_case on gate (use_case_id)",
        "create table portfolio_epoch (id integer primary key, epoch integer not null)",
        "insert into portfolio_epoch values (1, 0)",
    )),
    Migration(name="portfolio/0002_business_cases", statements=(
        "create table business_case (id text primary key, use_case_id text not null, scenario text not null,"
        " version integer not null, digest text not null, engine text not null, body blob not null,"
        " reason text not null, seq integer not null, frozen_at text not null,"
        " unique (use_case_id, scenario, version))",
        "create table case_scoring (use_case_id text primary key, version integer not null, digest text not null,"
        " body blob not null, scored_by text not null, scored_at text not null)",
    )),
)
