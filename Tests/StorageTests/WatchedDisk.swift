import Foundation
import Primitives
import TestSupport

/// A folder whose operations are followed, to know what a crash at this moment would leave of it:
/// a kill keeps every write, a power cut only what was flushed, and of the rest any part.
///
/// A flush that failed loses what it was to make durable: a later one that succeeds does not
/// bring it back, as on Linux, unless it was written again.
final class WatchedDisk {
    struct StoredFile {
        var content: [UInt8]
        var modified: timespec
    }

    /// What a crash leaves; names are paths from the root.
    struct Image {
        var files: [String: StoredFile] = [:]
        var folders: [String] = []
    }

    private struct Tree {
        var files: [UInt64: StoredFile] = [:]
        /// Names in folders. Files and folders by inode.
        var folders: [UInt64: [String: UInt64]] = [:]
    }

    private static let sectorSize = 512
    private let root: String
    private let rootInode: UInt64
    private var durable = Tree()
    /// Sizes that files were cut to since they were last flushed: the smallest.
    private var cutSizes: [UInt64: Int] = [:]
    /// The file that is being cut by the operation before this one.
    private var cutting: String?
    /// Sectors that a failed flush lost.
    private var lostSectors: [UInt64: Set<Int>] = [:]
    /// Keeps the inodes of removed files from being used again.
    private var held: [UInt64: Int32] = [:]

    /// Everything that is there now counts as flushed.
    init(root: String) throws {
        self.root = root
        guard let inode = Self.inode(root) else { throw Mismatch("no folder \(root)") }
        rootInode = inode
        durable = liveTree()
    }

    deinit { for descriptor in held.values { close(descriptor) } }

    /// The operation that was noted last has happened. Call before images are made.
    func operationEnded() {
        if let path = cutting, let (file, inode) = load(path) {
            cutSizes[inode] = min(cutSizes[inode] ?? .max, file.content.count)
        }
        cutting = nil
    }

    /// Takes in an operation that is about to happen, or to fail.
    func note(_ event: FileOperationHook.Event, _ outcome: FileOperationHook.Outcome) {
        operationEnded()
        let path = currentPath(event.path)
        var succeeds = false
        if case .goesOn = outcome { succeeds = true }
        switch event.operation {
        case .synchronize(let withTimes):
            guard let (file, inode) = load(path) else { return }
            if succeeds {
                flushed(file, inode, withTimes: withTimes)
            } else {
                noteLoss(file, inode)
            }
        case .synchronizeFolder:
            guard succeeds, let inode = Self.inode(path) else { return }
            durable.folders[inode] = entries(path)
        case .write:
            guard event.byteCount > 0, let inode = Self.inode(path) else { return }
            let first = Int(event.offset) / Self.sectorSize
            let last = (Int(event.offset) + event.byteCount - 1) / Self.sectorSize
            lostSectors[inode]?.subtract(first...last)
        case .truncate: if succeeds { cutting = path }
        case .rename, .remove, .makeFolder, .removeFolder: break
        }
    }

    /// A file that took the place of another one goes on by the name that it was made with.
    private func currentPath(_ path: String) -> String {
        guard path.hasSuffix(".new"), !FileManager.default.fileExists(atPath: path)
        else { return path }
        return String(path.dropLast(4))
    }

    private func flushed(_ live: StoredFile, _ inode: UInt64, withTimes: Bool) {
        var file = live
        if let old = durableFile(inode) {
            if !withTimes, old.content.count == file.content.count { file.modified = old.modified }
            for sector in lostSectors[inode] ?? [] {
                let start = sector * Self.sectorSize
                let end = min(start + Self.sectorSize, file.content.count)
                guard start < end else { continue }
                for index in start..<end {
                    file.content[index] = index < old.content.count ? old.content[index] : 0
                }
            }
        }
        durable.files[inode] = file
        cutSizes[inode] = nil
    }

    /// What was cut off does not come back with the file's growth.
    private func durableFile(_ inode: UInt64) -> StoredFile? {
        guard var file = durable.files[inode] else { return nil }
        if let size = cutSizes[inode], size < file.content.count {
            file.content.removeLast(file.content.count - size)
        }
        return file
    }

    private func noteLoss(_ live: StoredFile, _ inode: UInt64) {
        let old = durableFile(inode)?.content ?? []
        for start in stride(from: 0, to: live.content.count, by: Self.sectorSize) {
            let end = min(start + Self.sectorSize, live.content.count)
            if end > old.count || live.content[start..<end] != old[start..<end] {
                lostSectors[inode, default: []].insert(start / Self.sectorSize)
            }
        }
        if durable.files[inode] == nil {
            durable.files[inode] = StoredFile(content: [], modified: live.modified)
        }
    }

    // MARK: images

    func killed() -> Image { image(of: liveTree()) }

    func powerless(_ generator: inout SeededGenerator) -> Image {
        let live = liveTree()
        var tree = Tree()
        let folders = Set(live.folders.keys).union(durable.folders.keys).sorted()
        for inode in folders {
            let old = durable.folders[inode] ?? [:]
            tree.folders[inode] = generator.chance(2) ? old : live.folders[inode] ?? old
        }
        for inode in Set(live.files.keys).union(durable.files.keys).sorted() {
            tree.files[inode] = survivor(inode, live.files[inode], &generator)
        }
        return image(of: tree)
    }

    private func survivor(
        _ inode: UInt64, _ live: StoredFile?, _ generator: inout SeededGenerator
    ) -> StoredFile {
        var old = durable.files[inode] ?? StoredFile(content: [], modified: timespec())
        if let size = cutSizes[inode], size < old.content.count {
            // A file is cut as a whole or not at all; what was written before and behind it may
            // be there with the cut only.
            guard generator.chance(2) else { return old }
            old.content.removeLast(old.content.count - size)
        }
        switch generator.number(0...3) {
        case 0: return live ?? old
        case 1: return live.map { mixed(old, $0, &generator) } ?? old
        default: return old
        }
    }

    /// Some sectors of the new content have arrived, others not.
    private func mixed(
        _ old: StoredFile, _ new: StoredFile, _ generator: inout SeededGenerator
    ) -> StoredFile {
        var file = generator.chance(2) ? old : new
        let size = (generator.chance(2) ? old : new).content.count
        file.content = [UInt8](repeating: 0, count: size)
        for start in stride(from: 0, to: size, by: Self.sectorSize) {
            let source = generator.chance(2) ? old.content : new.content
            let end = min(start + Self.sectorSize, size, source.count)
            if start < end { file.content.replaceSubrange(start..<end, with: source[start..<end]) }
        }
        return file
    }

    private func image(of tree: Tree) -> Image {
        var image = Image()
        func add(_ inode: UInt64, _ prefix: String) {
            for (name, entry) in tree.folders[inode] ?? [:] {
                if tree.folders[entry] != nil {
                    image.folders.append(prefix + name)
                    add(entry, prefix + name + "/")
                } else {
                    image.files[prefix + name] =
                        tree.files[entry] ?? StoredFile(content: [], modified: timespec())
                }
            }
        }
        add(rootInode, "")
        image.folders.sort()
        return image
    }

    // MARK: what is there

    private func liveTree() -> Tree {
        var tree = Tree()
        func add(_ path: String, _ inode: UInt64) {
            let names = entries(path)
            tree.folders[inode] = names
            for (name, entry) in names {
                var isFolder: ObjCBool = false
                let child = path + "/" + name
                guard FileManager.default.fileExists(atPath: child, isDirectory: &isFolder)
                else { continue }
                if isFolder.boolValue {
                    add(child, entry)
                } else if let (file, inode) = load(child) {
                    tree.files[inode] = file
                }
            }
        }
        add(root, rootInode)
        return tree
    }

    private func entries(_ path: String) -> [String: UInt64] {
        var entries: [String: UInt64] = [:]
        for name in (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [] {
            entries[name] = Self.inode(path + "/" + name)
        }
        return entries
    }

    private static func inode(_ path: String) -> UInt64? {
        var status = stat()
        return stat(path, &status) == 0 ? UInt64(status.st_ino) : nil
    }

    private func load(_ path: String) -> (file: StoredFile, inode: UInt64)? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            close(descriptor)
            return nil
        }
        var content = [UInt8](repeating: 0, count: Int(status.st_size))
        let count = content.withUnsafeMutableBytes {
            pread(descriptor, $0.baseAddress, $0.count, 0)
        }
        content.removeLast(content.count - max(0, count))
        let inode = UInt64(status.st_ino)
        if held[inode] == nil { held[inode] = descriptor } else { close(descriptor) }
        return (StoredFile(content: content, modified: status.st_mtim), inode)
    }
}

extension WatchedDisk.Image {
    /// Puts the image where a store can open it.
    func write(to root: String) throws {
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        for folder in folders {
            try FileManager.default.createDirectory(
                atPath: root + "/" + folder, withIntermediateDirectories: true)
        }
        for (name, file) in files {
            let path = root + "/" + name
            try Data(file.content).write(to: URL(fileURLWithPath: path))
            var times = [file.modified, file.modified]
            guard utimensat(AT_FDCWD, path, &times, 0) == 0 else {
                throw Mismatch("utimensat failed")
            }
        }
    }
}
