// What this browser keeps of a room, so that a reload loses nothing, by key. Where it keeps nothing (a private window, a full disk),
// everything else works all the same: then nothing is there, and `put` says false.
const [DATABASE, STORE] = ["audioformer", "teach"];

const from = (start) => IDBKeyRange.bound(start, `${start}\uffff`); // all keys that begin so

export const shelf = {
  get: (key) => ask("readonly", (store) => store.get(key)).catch(() => null),
  all: (start) => ask("readonly", (store) => store.getAll(from(start))).catch(() => []),
  put: (key, value) => ask("readwrite", (store) => store.put(value, key)).then(() => true, () => false),
  drop: (start) => ask("readwrite", (store) => store.delete(from(start))).catch(() => null),
};

function ask(mode, question) {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(DATABASE, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const database = opening.result;
      const work = database.transaction(STORE, mode);
      const asked = question(work.objectStore(STORE));
      work.oncomplete = () => (database.close(), resolve(asked.result ?? null));
      work.onerror = work.onabort = () => (database.close(), reject(work.error));
    };
  });
}
