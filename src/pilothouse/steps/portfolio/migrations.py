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
    Migration(name="portfolio/0002_boards", statements=(
        "alter table gate add column expires_at text not null default ''",
        "alter table gate add column digest text not null default ''",
        "alter table gate add column paper text not null default ''",
        "create table gate_policy (stage text not null, risk_tier text not null, quorum integer not null,"
        " grade_min text not null, valid_days integer not null, primary key (stage, risk_tier))",
        "create table gate_vote (seq integer primary key, use_case_id text not null, round integer not null,"
        " voter text not null, verdict text not null, reason text not null, voted_at text not null,"
        " expires_at text not null, unique (use_case_id, round, voter))",
        "create table gate_condition (use_case_id text not null, gate_seq integer not null, number integer not null,"
        " text text not null, due text not null, met_at text not null, met_by text not null, note text not null,"
        " primary key (gate_seq, number))",
        "create index gate_condition_use_case on gate_condition (use_case_id)",
        "create table gate_opening (use_case_id text not null, round integer not null, cause text not null,"
        " seq integer not null, opened_at text not null, primary key (use_case_id, round, cause))",
    )),
    Migration(name="portfolio/0003_strategy", statements=(
        "alter table use_case add column benefit_owner text not null default ''",
        "alter table use_case add column kill_criteria text not null default ''",
        "create table objective (slug text primary key, title text not null, statement text not null,"
        " owner text not null, due text not null, defined_at text not null, demo integer not null)",
        "create table objective_link (objective text not null, use_case_id text not null, kpi text not null,"
        " share real not null, primary key (objective, use_case_id, kpi))",
        "create index objective_link_kpi on objective_link (use_case_id, kpi)",
        "create table learning (id text primary key, dedup text not null unique, statement text not null,"
        " use_case_id text not null, recorded_by text not null, recorded_at text not null, seq integer not null,"
        " demo integer not null)",
        "create table learning_evidence (seq integer primary key, learning text not null, stance text not null,"
        " use_case_id text not null, entries text not null, note text not null, added_by text not null,"
        " added_at text not null)",
        "create index learning_evidence_learning on learning_evidence (learning)",
    )),
    Migration(name="portfolio/0004_samples", statements=(
        # Canonical batches lie apart: columns behind a large value would be read through all of its pages.
        "create table sample_blob (batch_id text primary key, content blob not null)",
        "insert into sample_blob (batch_id, content) select id, sample_values from sample_batch",
        "alter table sample_batch drop column sample_values",
        "create index sample_batch_seq on sample_batch (use_case_id, kpi, period, seq)",
        "create table kpi_state (use_case_id text not null, kpi text not null, period text not null,"
        " n integer not null, centre real not null, spread real not null, low real not null, high real not null,"
        " batches integer not null, grade text not null, starts_on text not null, ends_on text not null,"
        " latest text not null, chain text not null, primary key (use_case_id, kpi, period))",
        "create table kpi_slot (use_case_id text not null, kpi text not null, period text not null,"
        " grain text not null, slot text not null, n integer not null, centre real not null, spread real not null,"
        " low real not null, high real not null, primary key (use_case_id, kpi, period, grain, slot))",
        "create table kpi_profile (use_case_id text not null, kpi text not null, template text not null,"
        " indicator text not null, instrument text not null, gaming_risk text not null, counter_of text not null,"
        " margin real, cadence text not null, target real, target_by text not null, seasonality text not null,"
        " set_at text not null, seq integer not null, primary key (use_case_id, kpi))",
        "create table feed (id text primary key, use_case_id text not null, kpi text not null, kind text not null,"
        " address text not null, query text not null, every text not null, since text not null,"
        " step_s integer not null, grade text not null, instrument text not null, position text not null,"
        " taken integer not null, missing integer not null, state text not null, error text not null,"
        " next_due text not null, pulled_at text not null, defined_by text not null, seq integer not null)",
        "create index feed_due on feed (state, next_due)",
        "create index feed_kpi on feed (use_case_id, kpi)",
    )),
    Migration(name="portfolio/0005_experiments", statements=(
        "create table experiment (id text primary key, use_case_id text not null, slug text not null,"
        " body blob not null, metrics blob not null, hypothesis text not null, stop_rule text not null,"
        " despite_teams text not null,"
        " digest text not null, status text not null, stopped_on text not null, registered_by text not null,"
        " registered_at text not null, seq integer not null, demo integer not null, unique (use_case_id, slug))",
        "create table experiment_members (experiment_id text primary key, members blob not null)",
        "create table experiment_batch (id text primary key, experiment_id text not null, kpi text not null,"
        " source text not null, n integer not null, digest text not null, key text not null, body blob not null,"
        " seq integer not null, accepted_at text not null, unique (experiment_id, kpi, key))",
        "create table experiment_deviation (seq integer primary key, experiment_id text not null,"
        " altered text not null, reason text not null, key text not null, recorded_by text not null,"
        " recorded_at text not null, unique (experiment_id, key))",
        "create table experiment_look (seq integer primary key, experiment_id text not null, number integer not null,"
        " looked_at text not null, looked_by text not null, body blob not null, unique (experiment_id, number))",
        "create table experiment_result (experiment_id text primary key, seq integer not null, body blob not null)",
    )),
    Migration(name="portfolio/0006_business_cases", statements=(
        "create table business_case (id text primary key, use_case_id text not null, scenario text not null,"
        " version integer not null, digest text not null, engine text not null, body blob not null,"
        " reason text not null, seq integer not null, frozen_at text not null,"
        " unique (use_case_id, scenario, version))",
        "create table case_scoring (use_case_id text primary key, version integer not null, digest text not null,"
        " body blob not null, scored_by text not null, scored_at text not null)",
    )),
)
