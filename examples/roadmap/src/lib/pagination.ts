export interface Page {
  offset: number;
  limit: number;
}

const LARGEST = 100;

/** Which rows a page has; pages count from 1. */
export function pageOf(page: number, size: number): Page {
  if (page < 1 || size < 1) {
    throw new RangeError('pages and sizes count from 1');
  }
  const limit = Math.min(size, LARGEST);
  return { offset: (page - 1) * limit, limit };
}

export function pageCount(rows: number, size: number): number {
  return rows <= 0 ? 0 : Math.ceil(rows / Math.min(size, LARGEST));
}
