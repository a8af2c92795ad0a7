internal import Glibc

/// A new directory under `$TMPDIR` or `/tmp`, removed with all that is in it.
package final class TemporaryDirectory: Sendable {
    package let path: String

    package init(name: String) throws(BenchError) {
        let parent = unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/tmp"
        var template = Array("\(parent)/\(name)-XXXXXX".utf8CString)
        let isMade = unsafe template.withUnsafeMutableBufferPointer {
            unsafe mkdtemp($0.baseAddress!) != nil
        }
        guard isMade else {
            throw .file("\(parent): \(unsafe String(cString: strerror(errno)))")
        }
        path = unsafe template.withUnsafeBufferPointer { unsafe String(cString: $0.baseAddress!) }
    }

    package func remove() { Self.remove(path) }

    private static func remove(_ path: String) {
        if let directory = unsafe opendir(path) {
            while let entry = unsafe readdir(directory) {
                let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
                    unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) {
                        unsafe String(cString: $0)
                    }
                }
                guard name != "." && name != ".." else { continue }
                let child = "\(path)/\(name)"
                // A link is removed, never followed.
                if unsafe unlink(child) != 0 { remove(child) }
            }
            unsafe closedir(directory)
        }
        unsafe rmdir(path)
    }
}
