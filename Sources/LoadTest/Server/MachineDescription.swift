internal import Glibc

/// On what a load test ran.
enum MachineDescription {
    static func fields() -> [BenchResult.Field] {
        let processors = sysconf(Int32(_SC_NPROCESSORS_ONLN))
        let memory = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
        return [
            .init("processors", String(processors)),
            .init("model", value(of: "model name", in: "/proc/cpuinfo") ?? "unknown"),
            .init("memory", Format.size(Double(memory))),
            .init(
                "kernel",
                TextFile.read("/proc/sys/kernel/osrelease").map(trimmed) ?? "unknown"),
        ]
    }

    private static func value(of name: String, in file: String) -> String? {
        TextFile.read(file)?.split(separator: "\n").first { $0.hasPrefix(name) }
            .flatMap { $0.split(separator: ":").last }.map { trimmed(String($0)) }
    }

    private static func trimmed(_ text: String) -> String {
        var text = text[...]
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
