namespace Notify.Tests;

/// <summary>What others rely on is kept as a file that a person has approved; a change of it fails until that person approves again.</summary>
internal static class Approval
{
    /// <summary>Compares with a file of the checkout. What is received is written beside the tests, with the command that accepts it.</summary>
    public static void Check(string received, string approvedFile)
    {
        var approved = Path.Combine(Repository.Root, approvedFile);
        if (File.Exists(approved) && File.ReadAllText(approved) == received)
        {
            return;
        }

        var receivedFile = Path.Combine(AppContext.BaseDirectory, "received", approvedFile);
        Directory.CreateDirectory(Path.GetDirectoryName(receivedFile)!);
        File.WriteAllText(receivedFile, received);
        Assert.Fail($"{approvedFile} is not what the code says. See the difference: diff {approved} {receivedFile}\nIf it is meant: mkdir -p {Path.GetDirectoryName(approved)} && cp {receivedFile} {approved}");
    }
}
