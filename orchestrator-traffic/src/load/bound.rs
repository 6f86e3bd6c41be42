//! How bad a rate of failures may be, given what was seen.

/// The one-sided 95 % upper bound of the share of failures, after Clopper and Pearson (1934): the share at which so few failures, or
/// fewer, would be seen one time in twenty. With no failures of `sent` it is near 3 / `sent`; with nothing sent it is 1.
pub fn upper_bound(failed: u64, sent: u64) -> f64 {
    const LEFT: f64 = 0.05;
    if sent == 0 || failed >= sent {
        return 1.0;
    }
    if failed == 0 {
        return -(LEFT.ln() / sent as f64).exp_m1();
    }
    let (mut low, mut high) = (failed as f64 / sent as f64, 1.0);
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if at_most(failed, sent, middle) > LEFT { low = middle } else { high = middle }
    }
    high
}

/// The chance of at most so many failures, for a share that is above theirs: their terms shrink from the last down.
fn at_most(failed: u64, sent: u64, share: f64) -> f64 {
    let (k, n) = (failed as f64, sent as f64);
    let ways = ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k);
    let mut term = (ways + k * share.ln() + (n - k) * (-share).ln_1p()).exp();
    let mut sum = term;
    let mut at = k;
    while at > 0.0 && term > sum * 1e-17 {
        term *= at / (n - at + 1.0) * (1.0 - share) / share;
        sum += term;
        at -= 1.0;
    }
    sum
}

/// `ln(x!)` by Stirling's series; its error is below 1e-9 from 10 up, and smaller numbers are brought there.
fn ln_factorial(number: f64) -> f64 {
    let (mut x, mut less) = (number + 1.0, 0.0);
    while x < 10.0 {
        less += x.ln();
        x += 1.0;
    }
    let series = 1.0 / (12.0 * x) - 1.0 / (360.0 * x.powi(3)) + 1.0 / (1260.0 * x.powi(5));
    (x - 0.5) * x.ln() - x + 0.5 * (2.0 * std::f64::consts::PI).ln() + series - less
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, wanted: f64) {
        assert!((found / wanted - 1.0).abs() < 1e-3, "{found} is not {wanted}");
    }

    /// Tables of exact binomial limits have these.
    #[test]
    fn it_is_that_of_the_tables() {
        near(upper_bound(0, 100), 0.029_51);
        near(upper_bound(1, 100), 0.046_56);
        near(upper_bound(10, 100), 0.163_72);
        near(upper_bound(0, 100_000), 2.995_7e-5);
        near(upper_bound(1, 2), 0.974_68);
    }

    /// The bound is where the chance is one in twenty: checked with the sum itself.
    #[test]
    fn so_few_failures_are_seen_one_time_in_twenty() {
        for (failed, sent) in [(1_u64, 7_u64), (3, 50), (20, 60), (5, 1000)] {
            let share = upper_bound(failed, sent);
            let (mut sum, mut ways) = (0.0, 1.0);
            for k in 0..=failed {
                sum += ways * share.powf(k as f64) * (1.0 - share).powf((sent - k) as f64);
                ways *= (sent - k) as f64 / (k + 1) as f64;
            }
            near(sum, 0.05);
        }
    }

    #[test]
    fn nothing_sent_says_nothing_and_much_sent_takes_no_time() {
        assert!(upper_bound(0, 0) >= 1.0 && upper_bound(5, 5) >= 1.0);
        near(upper_bound(500_000, 100_000_000), 0.005_011_6);
    }
}
