import { ValidationError } from '../errors.js';
import type { Band } from '../types.js';

export const MAX_ANSWER = 4;

/** The sum of the answers as a share of what was possible, 0 to 100. */
export function scoreAnswers(answers: readonly number[]): number {
  if (answers.length === 0) {
    throw new ValidationError('there are no answers');
  }
  if (answers.some((answer) => !Number.isInteger(answer) || answer < 0 || answer > MAX_ANSWER)) {
    throw new ValidationError(`an answer is a whole number from 0 to ${MAX_ANSWER}`);
  }
  const sum = answers.reduce((total, answer) => total + answer, 0);
  return Math.round((sum / (answers.length * MAX_ANSWER)) * 100);
}

export function bandOf(score: number): Band {
  if (score >= 70) {
    return 'high';
  }
  return score >= 40 ? 'moderate' : 'low';
}
