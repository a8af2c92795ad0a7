internal import CLinux
internal import CommandLineOptions
internal import Glibc
internal import Synchronization

/// A file that appears under its name only when it is complete: written beside its target, made
/// durable, then renamed.
///
/// Owns the temporary file until `commit` or `discard`; either may be called at any time, from
/// any thread, and the first one counts.
final class OutputFile: Sendable {
    let temporaryPath: String
    private let path: String
    private let overwrites: Bool
    private let isFinished = Mutex(false)

    /// Makes the empty temporary file. Fails if the target exists and may not be replaced.
    init(replacing path: String, overwrites: Bool) throws(CommandFailure) {
        var status = stat()
        if unsafe lstat(path, &status) == 0 {
            guard overwrites else { throw Self.exists(path) }
            guard status.st_mode & S_IFMT == S_IFREG else {
                throw CommandFailure(.cannotCreate, "\(path) is not a regular file")
            }
        }
        self.path = path
        self.overwrites = overwrites
        temporaryPath = "\(path).\(getpid()).tmp"
        let descriptor = unsafe open(temporaryPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else {
            throw CommandFailure(
                .cannotCreate, "\(temporaryPath): \(unsafe String(cString: strerror(errno)))")
        }
        close(descriptor)
    }

    /// Gives the file its name, after its bytes are on the disk.
    func commit() throws(CommandFailure) {
        guard begin() else { return }
        guard Self.flush(temporaryPath, O_RDWR) else { throw failAndRemove(.inputOutput) }
        let result =
            unsafe overwrites
            ? rename(temporaryPath, path) : clinux_rename_noreplace(temporaryPath, path)
        guard result == 0 else {
            if errno == EEXIST {
                unsafe unlink(temporaryPath)
                throw Self.exists(path)
            }
            throw failAndRemove(.cannotCreate)
        }
        guard Self.flush(Self.directory(of: path), O_RDONLY | O_DIRECTORY) else {
            throw CommandFailure(
                .inputOutput,
                "\(path) may not survive a crash: \(unsafe String(cString: strerror(errno)))")
        }
    }

    /// Removes the temporary file.
    func discard() {
        guard begin() else { return }
        unsafe unlink(temporaryPath)
    }

    /// True for the first caller only.
    private func begin() -> Bool {
        isFinished.withLock { finished in
            defer { finished = true }
            return !finished
        }
    }

    private func failAndRemove(_ exitCode: ExitCode) -> CommandFailure {
        let reason = unsafe String(cString: strerror(errno))
        unsafe unlink(temporaryPath)
        return CommandFailure(exitCode, "\(path): \(reason)")
    }

    private static func exists(_ path: String) -> CommandFailure {
        CommandFailure(.cannotCreate, "\(path) exists", hint: "Replace it with --force.")
    }

    private static func flush(_ path: String, _ flags: Int32) -> Bool {
        let descriptor = unsafe open(path, flags | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return fsync(descriptor) == 0
    }

    private static func directory(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
