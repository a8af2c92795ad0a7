internal import Glibc
internal import Synchronization

/// Sends an SQLite file to the admin API.
enum DatabaseImport {
    private static let pieceSize = 1 << 20

    static func run(
        _ file: String, to admin: TargetURL, path: String, _ control: ControlClient
    ) throws(BenchError) {
        let descriptor = unsafe open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw .noInput("\(file): \(unsafe String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        let size = Int(lseek(descriptor, 0, SEEK_END))
        let offset = Atomic<Int>(0)
        let answer = Mutex<[UInt8]>([])
        let request = RequestBytes.make(
            "PUT", admin, path, fields: ["Content-Type: application/vnd.sqlite3"], length: size)
        let status = try control.stream(
            request, to: admin,
            nextPiece: {
                let start = offset.load(ordering: .relaxed)
                let piece = read(descriptor, at: start, count: min(pieceSize, size - start))
                offset.store(start + piece.count, ordering: .relaxed)
                return piece
            },
            receive: { piece in
                answer.withLock { answer in
                    for index in 0..<min(piece.count, 4096) { answer.append(piece[index]) }
                    return answer.count < 65_536
                }
            })
        guard status == 200 || status == 201 else {
            let text = answer.withLock { String(decoding: $0, as: UTF8.self) }
            throw .server("the import is refused: \(status) \(text)")
        }
    }

    /// Shorter where the file ends or cannot be read: then the request is never complete, and the
    /// server says so.
    private static func read(_ descriptor: Int32, at offset: Int, count: Int) -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            let got = unsafe pread(descriptor, buffer.baseAddress, count, off_t(offset))
            filled = max(0, got)
        }
    }
}
