import { describe, expect, it } from 'vitest';
import { bandOf, scoreAnswers } from '../../src/services/scoring.service.js';

describe('scoring', () => {
  it('is a share of what was possible', () => {
    expect(scoreAnswers([4, 4, 0, 0])).toBe(50);
  });

  it('has three bands', () => {
    expect([0, 40, 70].map(bandOf)).toEqual(['low', 'moderate', 'high']);
  });
});
