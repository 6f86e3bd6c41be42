import type { Assessment, Band } from '../types.js';
import type { AssessmentService } from './assessment.service.js';
import type { User } from '../types.js';

export interface CommunityReport {
  communityId: string;
  count: number;
  average: number;
  bands: Record<Band, number>;
}

export class ReportService {
  constructor(private readonly assessments: AssessmentService) {}

  async forCommunity(reader: User, communityId: string): Promise<CommunityReport> {
    const all = await this.assessments.ofCommunity(reader, communityId);
    return { communityId, count: all.length, average: average(all), bands: bands(all) };
  }
}

export function average(assessments: readonly Assessment[]): number {
  if (assessments.length === 0) {
    return 0;
  }
  const sum = assessments.reduce((total, assessment) => total + assessment.score, 0);
  return Math.round(sum / assessments.length);
}

export function bands(assessments: readonly Assessment[]): Record<Band, number> {
  const counts: Record<Band, number> = { low: 0, moderate: 0, high: 0 };
  for (const assessment of assessments) {
    counts[assessment.band] += 1;
  }
  return counts;
}
