//! The shape of the machine, in a sentence.

/// Cores, processor, memory, kernel and how busy it is with other things, as far as the system says.
pub(crate) fn shape() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.trim_start_matches([':', '\t', ' ']).trim().to_owned()
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let processor = field(&read("/proc/cpuinfo"), "model name");
    let kib = field(&read("/proc/meminfo"), "MemTotal").trim_end_matches(" kB").parse().unwrap_or(0.0_f64);
    let kernel = read("/proc/sys/kernel/osrelease");
    let kernel = kernel.trim().split('-').next().unwrap_or_default().to_owned();
    let plural = if cores == 1 { "core" } else { "cores" };
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or("unknown").to_owned();
    format!(
        "{cores} {plural} ({processor}), {:.0} GB of memory, Linux {kernel}, load {load} at the start",
        kib * 1024.0 / 1e9
    )
}
