//! Bounds on a share from counts.

/// Relative entropy of two coins, in nats: by Chernoff (1952) and Hoeffding (1963), of `n` tosses with a share of at most `q` heads,
/// `p n` or more are heads with a probability of at most `exp(-n entropy(p, q))` where `p > q`, and the other way round.
fn entropy(p: f64, q: f64) -> f64 {
    let part = |p: f64, q: f64| if p <= 0.0 { 0.0 } else { p * (p / q).ln() };
    part(p, q) + part(1.0 - p, 1.0 - q)
}

/// The share at most behind `bad` of `all`, wrongly with a probability of at most `alpha`.
pub(super) fn at_most(all: u64, bad: u64, alpha: f64) -> f64 {
    if all == 0 || bad >= all {
        return 1.0;
    }
    let share = bad as f64 / all as f64;
    let needed = -alpha.ln() / all as f64;
    let (mut low, mut high) = (share, 1.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if entropy(share, middle) < needed { low = middle } else { high = middle }
    }
    high
}

/// The same for the share over a limit that was picked from the very data: Dvoretzky, Kiefer and Wolfowitz (1956) with Massart's
/// constant (1990), which holds for all limits at once.
pub(super) fn at_most_anywhere(all: u64, bad: u64, alpha: f64) -> f64 {
    if all == 0 {
        return 1.0;
    }
    let share = bad as f64 / all as f64;
    (share + (-alpha.ln() / (2.0 * all as f64)).sqrt()).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The probability of `bad` or fewer of `all`, summed exactly.
    fn tail(all: u64, bad: u64, share: f64) -> f64 {
        let (mut log_choose, mut sum) = (0.0, 0.0);
        for k in 0..=bad {
            if k > 0 {
                log_choose += ((all - k + 1) as f64).ln() - (k as f64).ln();
            }
            sum += (log_choose + k as f64 * share.ln() + (all - k) as f64 * (1.0 - share).ln()).exp();
        }
        sum
    }

    #[test]
    fn bounds_hold_against_the_exact_distribution() {
        for (all, share) in [(10, 0.1), (100, 0.01), (3000, 0.01), (1000, 0.05)] {
            for alpha in [0.05, 1e-3, 1e-6] {
                // Counts whose bound lies under the share are as rare as it says.
                let wrong = (0..all).take_while(|bad| at_most(all, *bad, alpha) < share).last();
                let wrong = wrong.map_or(0.0, |bad| tail(all, bad, share));
                assert!(wrong <= alpha, "{all} {share} {alpha}: {wrong}");
                // Not needlessly weak either.
                assert!(all < 1000 || wrong > alpha / 100.0, "{all} {share} {alpha}: {wrong}");
            }
        }
    }

    #[test]
    fn what_is_at_most_is_where_it_stops_exceeding() {
        for (all, bad) in [(100, 0), (100, 3), (3000, 27), (10, 9), (1_000_000_000_000, 5)] {
            let most = at_most(all, bad, 1e-4);
            assert!(most > bad as f64 / all as f64 && most <= 1.0);
            let few = entropy(bad as f64 / all as f64, most) * all as f64;
            assert!((few + 1e-4_f64.ln()).abs() < 1e-2, "{all} {bad} {most} {few}");
        }
        assert!((at_most(0, 0, 0.1) - 1.0).abs() < 1e-9 && (at_most(5, 5, 0.1) - 1.0).abs() < 1e-9);
        assert!((at_most(5, u64::MAX, 0.1) - 1.0).abs() < 1e-9);
        assert!(at_most_anywhere(3000, 150, 1e-4) > at_most(3000, 150, 1e-4));
        assert!((at_most_anywhere(0, 0, 1e-4) - 1.0).abs() < 1e-9);
    }
}
