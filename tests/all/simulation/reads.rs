//! The judge of reads: lives that keep to a budget, and what the store says was sent. It reads the store and the network's count.

use counterfoil::sandbox::STRIPE_URL;
use counterfoil::store::Reader;

use super::options::{BEGIN, DAY, HOUR};
use super::running::Running;
use super::storm::Storm;
use super::time::rest;

/// How long what is new may take to be listed, milliseconds, where it is looked for every `poll`. Where reads are `planned` the
/// agent looks, and lets lists rest, as its budget says; and when a storm has used it up, a person waits for some to accrue.
pub(super) async fn listed_within(agent: &Running, poll: i64, planned: bool) -> Result<i64, String> {
    if !planned {
        return Ok(poll);
    }
    for _ in 0..96 {
        let budget = async { agent.parts.connection("main").await?.budget().await };
        let budget = budget.await.map_err(|problem| problem.to_string())?;
        let upkeep = budget.upkeep.ok_or("no budget where one is set")?;
        if upkeep.left > upkeep.most / 8 {
            return Ok(poll.max((budget.interval + budget.rest).as_millis() as i64));
        }
        rest(HOUR).await;
    }
    Err("budget: nothing has accrued in four days".to_owned())
}

/// What was spent on the present keeps to the plan, whatever struck; and what the store says was sent is what was sent, but for
/// what a life had not noted yet when it died.
pub(super) fn within_budget(
    reader: &Reader,
    storm: &Storm,
    (planned, page): (u64, u32),
    (lived, lives): (i64, u32),
) -> Result<(), String> {
    let sql =
        "SELECT coalesce(sum(reads), 0), coalesce(sum(reads) FILTER (WHERE purpose <> 'backfill'), 0), min(day_at)
        FROM reads JOIN accounts USING (account) WHERE connection = 'main'";
    let row = reader.table(sql).map_err(|problem| problem.to_string())?.rows.remove(0);
    let (noted, present) = (row[0].int().unwrap_or(0), row[1].int().unwrap_or(0));
    let sent =
        storm.passed().daily.iter().filter(|((to, _), _)| to == STRIPE_URL).map(|(_, count)| *count as i64).sum();
    // Three days' worth is there from the beginning (of the day that a wrong clock showed, if it did), and a pass that has
    // begun a window ends it.
    let days = (lived + BEGIN - row[2].int().unwrap_or(BEGIN)) / DAY + 1;
    let begun = 100 + 1_500 / i64::from(page);
    let most = planned as i64 * (days + 3) / 33 + begun;
    if present > most {
        return Err(format!("budget: {present} reads for the present, {most} are planned for {days} days"));
    }
    let unnoted = 60 * i64::from(lives);
    if noted > sent || noted < sent - unnoted {
        return Err(format!("budget: {noted} reads are noted, {sent} were sent"));
    }
    Ok(())
}
