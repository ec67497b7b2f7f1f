import type { ReactNode } from "react";

export interface Column<Row> {
  readonly heading: string;
  readonly cell: (row: Row) => ReactNode;
  readonly numeric?: boolean;
  /** Shown without its heading on a narrow screen, as the name of a record is. */
  readonly bare?: boolean;
}

interface Properties<Row> {
  readonly caption: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly rowKey: (row: Row, at: number) => string;
  readonly empty?: string | undefined;
}

/** Show records as a table, or as a list of cards where the screen is narrow. */
export function Records<Row>({ caption, columns, rows, rowKey, empty }: Properties<Row>) {
  if (rows.length === 0 && empty !== undefined) return <p>{empty}</p>;
  return (
    <table className="records">
      <caption className="visually-hidden">{caption}</caption>
      <thead>
        <tr>
          {columns.map((column) => (
            <th key={column.heading} scope="col" className={column.numeric ? "number" : undefined}>
              {column.heading}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row, at) => (
          <tr key={rowKey(row, at)}>
            {columns.map((column) => (
              <td
                key={column.heading}
                data-label={column.bare ? "" : column.heading}
                className={column.numeric ? "number" : undefined}
              >
                <div className="value">{column.cell(row)}</div>
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
