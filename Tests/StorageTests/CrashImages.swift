import Foundation
import Primitives
import TestSupport

/// Copies a database's folder just before operations that change it, as a crash at that point
/// would leave it: a kill keeps every write, a power cut only what was flushed, and of the rest
/// any part.
final class CrashImages: @unchecked Sendable {
    // @unchecked: guarded by `lock`.

    struct StoredFile {
        var content: [UInt8]
        var modified: timespec
    }

    struct Image {
        /// What was about to happen.
        let moment: String
        let files: [String: StoredFile]
        /// `mark` at that moment.
        let mark: Int
    }

    private let folder: String
    private let lock = NSLock()
    private var generator: SeededGenerator
    private let oneIn: Int
    private var durableFiles: [UInt64: StoredFile] = [:]
    private var durableNames: [String: UInt64] = [:]
    /// Sizes that files were cut to since they were last flushed: the smallest.
    private var cutSizes: [UInt64: Int] = [:]
    /// The file that is being cut by the operation before this one.
    private var cutting: String?
    private var taken: [Image] = []
    private var currentMark = 0

    /// - Parameter oneIn: how many operations there are to an image.
    init(folder: String, generator: SeededGenerator, oneIn: Int) {
        self.folder = folder
        self.generator = generator
        self.oneIn = oneIn
    }

    /// How far the test has come, to be kept with each image.
    var mark: Int {
        get { lock.withLock { currentMark } }
        set { lock.withLock { currentMark = newValue } }
    }

    var images: [Image] { lock.withLock { taken } }

    /// Everything that is there now counts as flushed.
    func begin() {
        for name in names() {
            guard let (file, inode) = load(name) else { continue }
            durableFiles[inode] = file
            durableNames[name] = inode
        }
        FileOperationHook.handler = { [self] operation, path in
            if path.hasPrefix(folder) { lock.withLock { note(operation, path) } }
            return 0
        }
    }

    func end() { FileOperationHook.handler = nil }

    private func note(_ operation: FileOperationHook.Operation, _ path: String) {
        if let name = cutting, let (file, inode) = load(name) {
            cutSizes[inode] = min(cutSizes[inode] ?? .max, file.content.count)
        }
        cutting = nil
        if generator.chance(oneIn) {
            let name = path.split(separator: "/").last ?? ""
            taken.append(killed("kill before \(operation) of \(name)"))
            taken.append(powerless("power cut before \(operation) of \(name)"))
        }
        switch operation {
        case .synchronize(let withTimes):
            let name = String(path.dropFirst(folder.count + 1))
            guard let (current, inode) = load(name) else { return }
            var file = current
            if let old = durableFiles[inode], !withTimes, old.content.count == file.content.count {
                file.modified = old.modified
            }
            durableFiles[inode] = file
            cutSizes[inode] = nil
        case .synchronizeFolder:
            durableNames = [:]
            for name in names() { durableNames[name] = load(name)?.inode }
        case .truncate: cutting = String(path.dropFirst(folder.count + 1))
        case .write, .rename, .remove: break
        }
    }

    private func killed(_ moment: String) -> Image {
        var files: [String: StoredFile] = [:]
        for name in names() { files[name] = load(name)?.file }
        return Image(moment: moment, files: files, mark: currentMark)
    }

    private func powerless(_ moment: String) -> Image {
        var live: [UInt64: StoredFile] = [:]
        var liveNames: [String: UInt64] = [:]
        for name in names() {
            guard let (file, inode) = load(name) else { continue }
            live[inode] = file
            liveNames[name] = inode
        }
        let survivingNames = generator.chance(2) ? durableNames : liveNames
        var files: [String: StoredFile] = [:]
        for (name, inode) in survivingNames {
            var old = durableFiles[inode] ?? StoredFile(content: [], modified: timespec())
            if let size = cutSizes[inode], size < old.content.count {
                // A file is cut as a whole or not at all; what was written before and behind it
                // may be there with the cut only.
                guard generator.chance(2) else {
                    files[name] = old
                    continue
                }
                old.content.removeLast(old.content.count - size)
            }
            switch generator.number(0...3) {
            case 0: files[name] = live[inode] ?? old
            case 1: files[name] = live[inode].map { mixed(old, $0) } ?? old
            default: files[name] = old
            }
        }
        return Image(moment: moment, files: files, mark: currentMark)
    }

    /// Some sectors of the new content have arrived, others not.
    private func mixed(_ old: StoredFile, _ new: StoredFile) -> StoredFile {
        var file = generator.chance(2) ? old : new
        let size = (generator.chance(2) ? old : new).content.count
        file.content = [UInt8](repeating: 0, count: size)
        for start in stride(from: 0, to: size, by: 512) {
            let source = generator.chance(2) ? old.content : new.content
            let end = min(start + 512, size, source.count)
            if start < end { file.content.replaceSubrange(start..<end, with: source[start..<end]) }
        }
        return file
    }

    private func names() -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
    }

    private func load(_ name: String) -> (file: StoredFile, inode: UInt64)? {
        let path = folder + "/" + name
        var status = stat()
        guard stat(path, &status) == 0, let data = FileManager.default.contents(atPath: path)
        else { return nil }
        return (
            StoredFile(content: [UInt8](data), modified: status.st_mtim), UInt64(status.st_ino)
        )
    }
}

extension CrashImages.Image {
    /// Puts the image where a store can open it.
    func write(to folder: String) throws {
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        for (name, file) in files {
            let path = folder + "/" + name
            try Data(file.content).write(to: URL(fileURLWithPath: path))
            var times = [file.modified, file.modified]
            guard utimensat(AT_FDCWD, path, &times, 0) == 0 else {
                throw Mismatch("utimensat failed")
            }
        }
    }
}
