namespace Notify.Store;

/// <summary>Databases that the store runs on.</summary>
public enum StoreKind
{
    /// <summary>A file beside the process; the embedded default.</summary>
    Sqlite,

    /// <summary>Microsoft SQL Server.</summary>
    SqlServer,

    /// <summary>PostgreSQL.</summary>
    PostgreSql,
}
