internal import Glibc

/// Small files, whole.
package enum TextFile {
    /// Nil if it cannot be read, or is larger than 64 MiB.
    package static func readBytes(_ path: String) -> [UInt8]? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while bytes.count <= 64 << 20 {
            let count = unsafe buffer.withUnsafeMutableBytes {
                unsafe Glibc.read(descriptor, $0.baseAddress, $0.count)
            }
            if count == 0 { return bytes }
            if count > 0 { bytes += buffer[..<count] } else if errno != EINTR { return nil }
        }
        return nil
    }

    package static func read(_ path: String) -> String? {
        readBytes(path).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Makes the file, or writes it anew.
    package static func write(_ path: String, _ bytes: [UInt8]) throws(BenchError) {
        let code = store(path, bytes, flags: O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC)
        guard code == 0 else {
            throw .file("\(path): \(unsafe String(cString: strerror(code)))")
        }
    }

    /// Writes into a file that exists, if that is allowed.
    static func overwrite(_ path: String, _ text: String) {
        _ = store(path, Array(text.utf8), flags: O_WRONLY | O_CLOEXEC)
    }

    /// 0, or the error's number.
    private static func store(_ path: String, _ bytes: [UInt8], flags: Int32) -> Int32 {
        let descriptor = unsafe open(path, flags, 0o644)
        guard descriptor >= 0 else { return errno }
        defer { close(descriptor) }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes {
                unsafe Glibc.write(descriptor, $0.baseAddress, $0.count)
            }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno != EINTR {
                return errno
            }
        }
        return 0
    }
}
